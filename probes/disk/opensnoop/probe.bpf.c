#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

#define PATH_SIZE 256

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    s32 file;   // the descriptor, -1 after a failure
    s32 result; // 0, or a negative errno
    u32 flags;
    char comm[COMM_SIZE];
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 4096);
BPF_PERCPU_ARRAY(scratch, struct event, 1); // an event in the making: its path ends where the record does

// The path is read when the call returns: by then its page is surely mapped.
enum { PATH, FLAGS };

static int entered(const char *path, u64 flags)
{
    struct call call = {.args = {[PATH] = (u64)path, [FLAGS] = flags}};
    return call_entered(&call);
}

#if defined(VARIANT_all) || defined(VARIANT_openat)
int on_openat(struct tracepoint__syscalls__sys_enter_openat *args)
{
    return entered(args->filename, args->flags);
}

int on_openat2(struct tracepoint__syscalls__sys_enter_openat2 *args)
{
    u64 flags = 0; // the first member of struct open_how
    bpf_probe_read_user(&flags, sizeof(flags), (void *)args->how);
    return entered(args->filename, flags);
}
#endif

#ifdef VARIANT_all
int on_open(struct tracepoint__syscalls__sys_enter_open *args)
{
    return entered(args->filename, args->flags);
}

int on_creat(struct tracepoint__syscalls__sys_enter_creat *args)
{
    return entered(args->pathname, 01101); // as in creat(2): O_CREAT|O_WRONLY|O_TRUNC
}
#endif

static void report(struct call *call, u64 now, s32 result)
{
    u32 only = 0;
    struct event *event = scratch.lookup(&only);
    if (!event)
        return; // never
    event->time = now;
    event->took = now - call->since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->file = result < 0 ? -1 : result;
    event->result = result < 0 ? result : 0;
    event->flags = call->args[FLAGS];
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    long length = bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)call->args[PATH]);
    u64 size = up_to(offsetof(struct event, path), length);
    if (events.ringbuf_output(event, size, wake_up(size)))
        ring_full();
}

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_openat *args)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_failed
    if (args->ret >= 0)
        return 0;
#endif
#ifdef PARAM_slower
    if (now - call.since <= PARAM_slower)
        return 0;
#endif
    report(&call, now, args->ret);
    return 0;
}
