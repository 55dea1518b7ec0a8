#include "ebpftop.h"

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

// What a thread asks for. The path is read when the call returns: by then the page it lies in is surely there.
struct asked {
    u64 since;
    u64 path;
};
BPF_HASH(asking, u32, struct asked); // bounded: by the threads inside such a call

static void remember(u64 path)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.since = bpf_ktime_get_ns(), .path = path};
    if (asking.update(&thread, &asked))
        map_full();
}

#if defined(VARIANT_all) || defined(VARIANT_newer)
int on_newfstatat(struct tracepoint__syscalls__sys_enter_newfstatat *args)
{
    remember((u64)args->filename);
    return 0;
}

int on_statx(struct tracepoint__syscalls__sys_enter_statx *args)
{
    remember((u64)args->filename);
    return 0;
}

int on_statfs(struct tracepoint__syscalls__sys_enter_statfs *args)
{
    remember((u64)args->pathname);
    return 0;
}
#endif

#ifdef VARIANT_all
int on_newstat(struct tracepoint__syscalls__sys_enter_newstat *args) // newlstat is alike
{
    remember((u64)args->filename);
    return 0;
}
#endif

// All of these calls return alike.
int on_return(struct tracepoint__syscalls__sys_exit_newfstatat *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = asking.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    asking.delete(&thread);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_failed
    if (args->ret >= 0)
        return 0;
#endif
#ifdef PARAM_slower
    if (now - asked.since <= PARAM_slower)
        return 0;
#endif
    char first = 0;
    bpf_probe_read_user(&first, sizeof(first), (void *)asked.path);
    if (!first && !args->ret) // no path: the status of an open file
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - asked.since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = args->__syscall_nr;
    event->result = args->ret;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)asked.path) < 0)
        event->path[0] = 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
