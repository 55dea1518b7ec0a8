#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

#define PATH_SIZE 256

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    u32 call;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 512);

// The path is read when the call returns: by then its page is surely mapped.
enum { PATH };

static int entered(const char *path)
{
    struct call call = {.args = {[PATH] = (u64)path}};
    return call_entered(&call);
}

#if defined(VARIANT_all) || defined(VARIANT_newer)
int on_newfstatat(struct tracepoint__syscalls__sys_enter_newfstatat *args)
{
    return entered(args->filename);
}

int on_statx(struct tracepoint__syscalls__sys_enter_statx *args)
{
    return entered(args->filename);
}

int on_statfs(struct tracepoint__syscalls__sys_enter_statfs *args)
{
    return entered(args->pathname);
}
#endif

#ifdef VARIANT_all
int on_newstat(struct tracepoint__syscalls__sys_enter_newstat *args) // also newlstat
{
    return entered(args->filename);
}
#endif

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_newfstatat *args)
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
    char first = 0;
    bpf_probe_read_user(&first, sizeof(first), (void *)call.args[PATH]);
    if (!first && !args->ret) // an empty path: the status of an open file
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - call.since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = args->__syscall_nr;
    event->result = args->ret;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)call.args[PATH]) < 0)
        event->path[0] = 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
