#include "ebpftop.h"
#include "ebpftop_file_calls_maps.h"

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
BPF_RINGBUF_OUTPUT(events, 1024);

struct failure {
    char fs[FS_SIZE];
    u32 tgid;
    u32 operation;
    s32 error; // negative
};
BPF_HASH(failures, struct failure, u64); // failed calls by process, operation, error and file system type

static void count_error(const struct file_call *call, const char *fs, s64 error)
{
    struct failure failure = {
        .tgid = bpf_get_current_pid_tgid() >> 32,
        .operation = call->operation,
        .error = error,
    };
    __builtin_memcpy(failure.fs, fs, sizeof(failure.fs));
    u64 zero = 0;
    u64 *count = failures.lookup_or_try_init(&failure, &zero);
    if (!count) {
        map_full();
        return;
    }
    __sync_fetch_and_add(count, 1);
}

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
    if (!file_call_returned(args->ret, &done) || (done.took <= PARAM_slower && args->ret >= 0))
        return 0;
    char fs[FS_SIZE] = {};
    if (!wanted_fs(fs, READ(done.file, f_inode)))
        return 0;
    if (args->ret < 0)
        count_error(&done, fs, args->ret);
    if (done.took <= PARAM_slower)
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->took = done.took;
    event->result = args->ret;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->operation = done.operation;
    __builtin_memcpy(event->fs, fs, sizeof(event->fs));
    copy_name(event->name, done.file);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
