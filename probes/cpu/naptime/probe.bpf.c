#include "ebpftop.h"

struct event {
    u64 time;
    u64 asked; // 0 if unknown
    u64 took;
    u32 tgid;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct sleep {
    u64 since;
    u64 asked; // ns; with `until` set, a time on the monotonic clock
    u64 until;
};
BPF_HASH(sleeping, u32, struct sleep, 65536); // thread → its sleep; bounded: by the threads inside nanosleep

#define UNTIL 1 // TIMER_ABSTIME
#define MONOTONIC 1

static void begin(u64 address, u64 until, bool known)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    s64 wanted[2] = {}; // seconds, nanoseconds
    if (known)
        bpf_probe_read_user(wanted, sizeof(wanted), (void *)address);
    struct sleep sleep = {
        .since = bpf_ktime_get_ns(),
        .asked = wanted[0] * 1000000000 + wanted[1],
        .until = until,
    };
    if (sleeping.update(&thread, &sleep))
        map_full();
}

int on_nanosleep(struct tracepoint__syscalls__sys_enter_nanosleep *args)
{
    begin((u64)args->rqtp, 0, true);
    return 0;
}

int on_clock_nanosleep(struct tracepoint__syscalls__sys_enter_clock_nanosleep *args)
{
    u64 until = args->flags & UNTIL;
    begin((u64)args->rqtp, until, !until || args->which_clock == MONOTONIC); // other clocks can't be read here
    return 0;
}

// Both calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_nanosleep *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct sleep *found = sleeping.lookup(&thread);
    if (!found)
        return 0;
    struct sleep sleep = *found;
    sleeping.delete(&thread);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_slower
    if (now - sleep.since <= PARAM_slower)
        return 0;
#endif
    if (sleep.until)
        sleep.asked = sleep.asked > sleep.since ? sleep.asked - sleep.since : 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->asked = sleep.asked;
    event->took = now - sleep.since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->result = args->ret;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
