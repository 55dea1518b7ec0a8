#include "ebpftop.h"
#include "ebpftop_file.h"

struct key {
    char fs[FS_SIZE];
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct key, u64); // bounded: by types of file systems × operations × slots

// What a thread is about to do. The file is looked up at once: it stays open at least until the call returns.
struct call {
    u64 since;
    struct file *file; // 0 for one that is being opened
    u64 operation;
};
BPF_HASH(calls, u32, struct call); // by thread; bounded: by the threads inside such a call

static void remember(struct file *file, u32 operation)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call call = {.since = bpf_ktime_get_ns(), .file = file, .operation = operation};
    if (calls.update(&thread, &call))
        map_full();
}

static int on_file(u32 descriptor, u32 operation)
{
    if (!wanted_current())
        return 0;
    struct file *file = file_of(descriptor);
    if (regular(file))
        remember(file, operation);
    return 0;
}

int on_read(struct tracepoint__syscalls__sys_enter_read *args) // pread64 and readv are alike
{
    return on_file(args->fd, FILE_READ);
}

int on_write(struct tracepoint__syscalls__sys_enter_write *args) // pwrite64 and writev are alike
{
    return on_file(args->fd, FILE_WRITE);
}

int on_sync(struct tracepoint__syscalls__sys_enter_fsync *args) // fdatasync is alike
{
    return on_file(args->fd, FILE_SYNC);
}

int on_open(struct tracepoint__syscalls__sys_enter_openat *args)
{
    if (wanted_current())
        remember(0, FILE_OPEN);
    return 0;
}

int on_return(struct tracepoint__syscalls__sys_exit_read *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct call *found = calls.lookup(&thread);
    if (!found)
        return 0;
    struct call call = *found;
    calls.delete(&thread);
    u64 took = bpf_ktime_get_ns() - call.since;
    s64 result = args->ret;
    if (call.operation == FILE_OPEN && result >= 0)
        call.file = file_of(result);
    struct inode *inode = regular(call.file);
    if (!inode)
        return 0;
    struct key key = {.operation = call.operation, .slot = ll_slot(took)};
    copy_fs(key.fs, inode);
    if (!wanted_fs(key.fs))
        return 0;
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(times, 1);
    return 0;
}
