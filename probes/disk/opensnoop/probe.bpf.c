#include "ebpftop.h"

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
BPF_RINGBUF_OUTPUT(events, 512);

// What a thread asks for. The path is read when the call returns: by then the page it lies in is surely there.
struct asked {
    u64 since;
    u64 path;
    u64 flags;
};
BPF_HASH(opening, u32, struct asked); // bounded: by the threads inside open

static void remember(u64 path, u64 flags)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.since = bpf_ktime_get_ns(), .path = path, .flags = flags};
    if (opening.update(&thread, &asked))
        map_full();
}

#if defined(VARIANT_all) || defined(VARIANT_openat)
int on_openat(struct tracepoint__syscalls__sys_enter_openat *args)
{
    remember((u64)args->filename, args->flags);
    return 0;
}

int on_openat2(struct tracepoint__syscalls__sys_enter_openat2 *args)
{
    u64 flags = 0; // the first member of struct open_how
    bpf_probe_read_user(&flags, sizeof(flags), (void *)args->how);
    remember((u64)args->filename, flags);
    return 0;
}

#endif

#ifdef VARIANT_all
int on_open(struct tracepoint__syscalls__sys_enter_open *args)
{
    remember((u64)args->filename, args->flags);
    return 0;
}

int on_creat(struct tracepoint__syscalls__sys_enter_creat *args)
{
    remember((u64)args->pathname, 01101); // as creat(2) says: O_CREAT|O_WRONLY|O_TRUNC
    return 0;
}
#endif

static void report(struct asked *asked, u64 now, s32 result)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->took = now - asked->since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->file = result < 0 ? -1 : result;
    event->result = result < 0 ? result : 0;
    event->flags = asked->flags;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    if (bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)asked->path) < 0)
        event->path[0] = 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

// All of these calls return alike.
int on_return(struct tracepoint__syscalls__sys_exit_openat *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = opening.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    opening.delete(&thread);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_failed
    if (args->ret >= 0)
        return 0;
#endif
#ifdef PARAM_slower
    if (now - asked.since <= PARAM_slower)
        return 0;
#endif
    report(&asked, now, args->ret);
    return 0;
}
