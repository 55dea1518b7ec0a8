#include "ebpftop.h"
#include "ebpftop_file.h"
#include "ebpftop_folder.h"

#define FILE_NAME_SIZE 64
#define END_SIZE 8

struct event {
    u64 time;
    u64 age;
    u64 size;
    u32 tgid;  // that deleted it
    u32 maker; // that created it
    char end[END_SIZE];
    char fs[FS_SIZE];
    char comm[COMM_SIZE];
    char maker_comm[COMM_SIZE];
    char name[FILE_NAME_SIZE];
    char folder[FOLDER_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

// Inodes and their numbers are reused: the generation tells a file from its predecessor.
struct identity {
    u64 inode;
    u64 number;
    u64 generation;
};
struct birth {
    u64 time;
    u32 maker;
    char comm[COMM_SIZE];
};
BPF_TABLE("lru_hash", struct identity, struct birth, born, 65536); // most files stay: the oldest are evicted

static void identify(struct identity *file, struct inode *inode)
{
    file->inode = (u64)inode;
    file->number = READ(inode, i_ino);
    file->generation = READ(inode, i_generation);
}

// The open may have created the file.
static int opened(struct file *file)
{
    if (!((u32)READ(file, f_mode) & FILE_CREATED) || !wanted_current())
        return 0;
    struct identity identity = {};
    identify(&identity, READ(file, f_inode));
    struct birth birth = {.time = bpf_ktime_get_ns(), .maker = bpf_get_current_pid_tgid() >> 32};
    bpf_get_current_comm(birth.comm, sizeof(birth.comm));
    if (born.update(&identity, &birth))
        map_full();
    return 0;
}

static void report(struct dentry *dentry, struct inode *inode, struct birth *birth, const char *end)
{
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_younger
    if (now - birth->time >= PARAM_younger)
        return;
#endif
    char fs[FS_SIZE] = {};
    if (!wanted_fs(fs, inode))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->age = now - birth->time;
    event->size = READ(inode, i_size);
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->maker = birth->maker;
    __builtin_memcpy(event->end, end, sizeof(event->end));
    __builtin_memcpy(event->fs, fs, sizeof(event->fs));
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    __builtin_memcpy(event->maker_comm, birth->comm, sizeof(event->maker_comm));
    bpf_probe_read_kernel_str(event->name, sizeof(event->name), READ(dentry, d_name.name));
    copy_folder(event->folder, READ(dentry, d_parent));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

// A dentry's name was deleted or now belongs to another file: it may have been the file's last.
static int name_lost(struct dentry *dentry, const char *end)
{
    struct inode *inode = READ(dentry, d_inode);
    if (!inode || READ(inode, i_nlink))
        return 0;
    struct identity identity = {};
    identify(&identity, inode);
    struct birth *found = born.lookup(&identity);
    if (!found)
        return 0;
    struct birth birth = *found;
    born.delete(&identity);
    report(dentry, inode, &birth, end);
    return 0;
}

static int deleted(struct dentry *dentry)
{
    const char end[END_SIZE] = "unlink";
    return name_lost(dentry, end);
}

static int replaced(struct dentry *dentry)
{
    const char end[END_SIZE] = "rename";
    return name_lost(dentry, end);
}

#ifdef VARIANT_fentry
KFUNC_PROBE(security_file_open, struct file *file)
{
    return opened(file);
}

KFUNC_PROBE(d_delete, struct dentry *dentry)
{
    return deleted(dentry);
}

KFUNC_PROBE(d_move, struct dentry *dentry, struct dentry *target)
{
    return replaced(target);
}
#endif

#ifdef VARIANT_kprobe
int on_open(struct pt_regs *ctx)
{
    return opened((struct file *)PT_REGS_PARM1(ctx));
}

int on_delete(struct pt_regs *ctx)
{
    return deleted((struct dentry *)PT_REGS_PARM1(ctx));
}

int on_move(struct pt_regs *ctx)
{
    return replaced((struct dentry *)PT_REGS_PARM2(ctx));
}
#endif
