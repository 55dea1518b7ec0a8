#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_file.h"
#include "ebpftop_folder.h"

#define PATH_SIZE 256
#define NO_SIZE -1 // of a call that sets none

struct event {
    u64 time;
    s64 size;
    u32 tgid;
    u32 call;
    s32 result; // 0, or a negative errno
    u32 user;
    u32 flags;
    char comm[COMM_SIZE];
    char folder[FOLDER_SIZE]; // where a relative path begins, else empty; here and below
    char to_folder[FOLDER_SIZE];
    char to[PATH_SIZE];
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 4096);
BPF_PERCPU_ARRAY(scratch, struct event, 1); // an event in the making: its path ends where the record does

// Paths are read when the call returns: by then their pages are surely mapped. FOLDERS: the descriptors of the directories
// that they start from, of `path` in the low half and of `to` in the high one.
enum { PATH, TO, FOLDERS, EXTRA };

#define CURRENT_FOLDER -100 // AT_FDCWD
#define NO_FOLDER -1

static int entered(const char *path, s32 folder, const char *to, s32 to_folder, u64 extra)
{
    u64 folders = (u64)(u32)to_folder << 32 | (u32)folder;
    struct call call = {.args = {[PATH] = (u64)path, [TO] = (u64)to, [FOLDERS] = folders, [EXTRA] = extra}};
    return call_entered(&call);
}

#if defined(VARIANT_all) || defined(VARIANT_newer)
int on_unlinkat(struct tracepoint__syscalls__sys_enter_unlinkat *args)
{
    return entered(args->pathname, args->dfd, 0, NO_FOLDER, args->flag);
}

int on_renameat(struct tracepoint__syscalls__sys_enter_renameat *args)
{
    return entered(args->oldname, args->olddfd, args->newname, args->newdfd, 0);
}

int on_renameat2(struct tracepoint__syscalls__sys_enter_renameat2 *args)
{
    return entered(args->oldname, args->olddfd, args->newname, args->newdfd, args->flags);
}

int on_linkat(struct tracepoint__syscalls__sys_enter_linkat *args)
{
    return entered(args->oldname, args->olddfd, args->newname, args->newdfd, args->flags);
}

// The first path is the link's text, which starts from nowhere yet.
int on_symlinkat(struct tracepoint__syscalls__sys_enter_symlinkat *args)
{
    return entered(args->oldname, NO_FOLDER, args->newname, args->newdfd, 0);
}

int on_truncate(struct tracepoint__syscalls__sys_enter_truncate *args)
{
    return entered(args->path, CURRENT_FOLDER, 0, NO_FOLDER, args->length);
}

int on_ftruncate(struct tracepoint__syscalls__sys_enter_ftruncate *args)
{
    return entered(0, args->fd, 0, NO_FOLDER, args->length);
}
#endif

#ifdef VARIANT_all
int on_unlink(struct tracepoint__syscalls__sys_enter_unlink *args)
{
    return entered(args->pathname, CURRENT_FOLDER, 0, NO_FOLDER, 0);
}

int on_rmdir(struct tracepoint__syscalls__sys_enter_rmdir *args)
{
    return entered(args->pathname, CURRENT_FOLDER, 0, NO_FOLDER, 0);
}

int on_rename(struct tracepoint__syscalls__sys_enter_rename *args)
{
    return entered(args->oldname, CURRENT_FOLDER, args->newname, CURRENT_FOLDER, 0);
}

int on_link(struct tracepoint__syscalls__sys_enter_link *args)
{
    return entered(args->oldname, CURRENT_FOLDER, args->newname, CURRENT_FOLDER, 0);
}

int on_symlink(struct tracepoint__syscalls__sys_enter_symlink *args)
{
    return entered(args->oldname, NO_FOLDER, args->newname, CURRENT_FOLDER, 0);
}
#endif

// The directory that a descriptor names, or 0.
static struct dentry *folder_of(s32 descriptor)
{
    if (descriptor == CURRENT_FOLDER) {
        struct task_struct *task = (struct task_struct *)bpf_get_current_task();
        return READ(READ(task, fs), pwd.dentry);
    }
    struct file *file = file_of(descriptor);
    return file ? READ(file, f_path.dentry) : 0;
}

static void copy_start(char *to, const char *path, s32 descriptor)
{
    to[0] = 0;
    struct dentry *folder = path[0] == '/' ? 0 : folder_of(descriptor);
    if (folder)
        copy_folder(to, folder);
}

// What all calls have in common; 0 if there is nothing to report. `call` is filled.
static struct event *returned(struct call *call, u32 number, s32 result)
{
    if (!call_returned(call))
        return 0;
#ifdef PARAM_failed
    if (result >= 0)
        return 0;
#endif
    u32 only = 0;
    struct event *event = scratch.lookup(&only);
    if (!event)
        return 0; // never
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = number;
    event->result = result;
    event->user = bpf_get_current_uid_gid();
    event->size = NO_SIZE;
    event->flags = 0;
    event->to_folder[0] = event->to[0] = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    return event;
}

static void submit(struct event *event, long length)
{
    u64 size = up_to(offsetof(struct event, path), length);
    if (events.ringbuf_output(event, size, wake_up(size)))
        ring_full();
}

// All calls that delete, rename or link return through here.
int on_return(struct tracepoint__syscalls__sys_exit_unlinkat *args)
{
    struct call call = {};
    struct event *event = returned(&call, args->__syscall_nr, args->ret);
    if (!event)
        return 0;
    event->flags = call.args[EXTRA];
    long length = bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)call.args[PATH]);
    copy_start(event->folder, event->path, call.args[FOLDERS]);
    if (call.args[TO]) {
        bpf_probe_read_user_str(event->to, sizeof(event->to), (void *)call.args[TO]);
        copy_start(event->to_folder, event->to, call.args[FOLDERS] >> 32);
    }
    submit(event, length);
    return 0;
}

int on_truncated(struct tracepoint__syscalls__sys_exit_truncate *args)
{
    struct call call = {};
    struct event *event = returned(&call, args->__syscall_nr, args->ret);
    if (!event)
        return 0;
    event->size = call.args[EXTRA];
    long length = bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)call.args[PATH]);
    copy_start(event->folder, event->path, call.args[FOLDERS]);
    submit(event, length);
    return 0;
}

// Of an open file: its name, and the directory it is in.
int on_ftruncated(struct tracepoint__syscalls__sys_exit_ftruncate *args)
{
    struct call call = {};
    struct event *event = returned(&call, args->__syscall_nr, args->ret);
    if (!event)
        return 0;
    event->size = call.args[EXTRA];
    event->path[0] = event->folder[0] = 0;
    long length = 1;
    struct dentry *dentry = folder_of(call.args[FOLDERS]);
    if (dentry) {
        length = bpf_probe_read_kernel_str(event->path, sizeof(event->path), READ(dentry, d_name.name));
        copy_folder(event->folder, READ(dentry, d_parent));
    }
    submit(event, length);
    return 0;
}
