#include "ebpftop.h"
#include "ebpftop_file.h"

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
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    struct call *found = calls.lookup(&thread);
    if (!found)
        return 0;
    struct call call = *found;
    calls.delete(&thread);
    u64 now = bpf_ktime_get_ns();
    if (now - call.since <= PARAM_slower)
        return 0;
    s64 result = args->ret;
    if (call.operation == FILE_OPEN && result >= 0)
        call.file = file_of(result);
    struct inode *inode = regular(call.file);
    if (!inode)
        return 0;
    char fs[FS_SIZE] = {};
    copy_fs(fs, inode);
    if (!wanted_fs(fs))
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - call.since;
    event->result = result;
    event->tgid = id >> 32;
    event->operation = call.operation;
    __builtin_memcpy(event->fs, fs, sizeof(event->fs));
    copy_name(event->name, call.file);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
