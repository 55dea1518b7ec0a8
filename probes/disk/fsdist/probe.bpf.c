#include "ebpftop.h"
#include "ebpftop_file_calls_maps.h"

struct key {
    char fs[FS_SIZE];
    u32 tgid;
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 131072); // calls that took that long, by process, file system type and operation

int on_read(struct tracepoint__syscalls__sys_enter_read *args) // also pread64 and readv
{
    return file_call_entered(args->fd, FILE_READ);
}

int on_write(struct tracepoint__syscalls__sys_enter_write *args) // also pwrite64 and writev
{
    return file_call_entered(args->fd, FILE_WRITE);
}

int on_sync(struct tracepoint__syscalls__sys_enter_fsync *args) // also fdatasync
{
    return file_call_entered(args->fd, FILE_SYNC);
}

int on_open(struct tracepoint__syscalls__sys_enter_openat *args)
{
    return file_open_entered();
}

int on_return(struct tracepoint__syscalls__sys_exit_read *args)
{
    struct file_call done = {};
    if (!file_call_returned(args->ret, &done))
        return 0;
    struct key key = {
        .tgid = bpf_get_current_pid_tgid() >> 32,
        .operation = done.operation,
        .slot = ll_slot(done.took),
    };
    if (!wanted_fs(key.fs, READ(done.file, f_inode)))
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
