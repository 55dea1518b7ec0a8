#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

struct event {
    u64 time;
    u64 took;
    s64 result; // bytes for reads and writes, the descriptor for opens; or a negative errno
    u32 tgid;
    u32 operation;
    char fs[FS_SIZE];
    char name[NAME_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

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
    u64 now = bpf_ktime_get_ns();
    if (now - call.since <= PARAM_slower)
        return 0;
    char fs[FS_SIZE] = {};
    copy_fs(fs, READ(call.file, f_inode));
    if (!wanted_fs(fs))
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - call.since;
    event->result = args->ret;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->operation = call.operation;
    __builtin_memcpy(event->fs, fs, sizeof(event->fs));
    copy_name(event->name, call.file);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
