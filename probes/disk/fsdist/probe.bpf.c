#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

struct key {
    char fs[FS_SIZE];
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct key, u64); // bounded: by types of file systems × operations × slots

int on_read(struct tracepoint__syscalls__sys_enter_read *args) // pread64 and readv are alike
{
    return call_begins(args->fd, FILE_READ);
}

int on_write(struct tracepoint__syscalls__sys_enter_write *args) // pwrite64 and writev are alike
{
    return call_begins(args->fd, FILE_WRITE);
}

int on_sync(struct tracepoint__syscalls__sys_enter_fsync *args) // fdatasync is alike
{
    return call_begins(args->fd, FILE_SYNC);
}

int on_open(struct tracepoint__syscalls__sys_enter_openat *args)
{
    return open_begins();
}

int on_return(struct tracepoint__syscalls__sys_exit_read *args)
{
    struct call call = {};
    if (!call_ends(args->ret, &call))
        return 0;
    u64 took = bpf_ktime_get_ns() - call.since;
    struct key key = {.operation = call.operation, .slot = ll_slot(took)};
    copy_fs(key.fs, READ(call.file, f_inode));
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
