#include "ebpftop.h"
#include "ebpftop_file.h"

struct operations {
    u64 reads;
    u64 writes;
    u64 fsyncs;
    u64 opens;
    u64 creates;
};
BPF_HASH(operations, u32, struct operations); // by process

// Adds to one of the process's counters, by its offset.
static int count(u64 offset)
{
    if (!wanted_current())
        return 0;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct operations zero = {};
    struct operations *process = operations.lookup_or_try_init(&tgid, &zero);
    if (!process) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add((u64 *)((char *)process + offset), 1);
    return 0;
}

#ifdef VARIANT_fentry
KFUNC_PROBE(vfs_read)
{
    return count(offsetof(struct operations, reads));
}

KFUNC_PROBE(vfs_write)
{
    return count(offsetof(struct operations, writes));
}

KFUNC_PROBE(vfs_fsync_range)
{
    return count(offsetof(struct operations, fsyncs));
}

KFUNC_PROBE(vfs_open)
{
    return count(offsetof(struct operations, opens));
}

KFUNC_PROBE(security_inode_create)
{
    return count(offsetof(struct operations, creates));
}
#endif

#ifdef VARIANT_kprobe
int on_read(struct pt_regs *ctx)
{
    return count(offsetof(struct operations, reads));
}

int on_write(struct pt_regs *ctx)
{
    return count(offsetof(struct operations, writes));
}

int on_fsync(struct pt_regs *ctx)
{
    return count(offsetof(struct operations, fsyncs));
}

int on_open(struct pt_regs *ctx)
{
    return count(offsetof(struct operations, opens));
}

int on_create(struct pt_regs *ctx)
{
    return count(offsetof(struct operations, creates));
}
#endif

#ifdef VARIANT_calls
// Whether the call reached a file; any other error came from the file system.
static bool reached(s64 result)
{
    return result != -EBADF;
}

int on_read(struct tracepoint__syscalls__sys_exit_read *args)
{
    return reached(args->ret) ? count(offsetof(struct operations, reads)) : 0;
}

int on_write(struct tracepoint__syscalls__sys_exit_write *args)
{
    return reached(args->ret) ? count(offsetof(struct operations, writes)) : 0;
}

int on_fsync(struct tracepoint__syscalls__sys_exit_fsync *args)
{
    return reached(args->ret) ? count(offsetof(struct operations, fsyncs)) : 0;
}

int on_open(struct tracepoint__syscalls__sys_exit_openat *args)
{
    if (args->ret < 0)
        return 0;
    struct file *file = file_of(args->ret);
    if (file && (u32)READ(file, f_mode) & FILE_CREATED)
        count(offsetof(struct operations, creates));
    return count(offsetof(struct operations, opens));
}
#endif
