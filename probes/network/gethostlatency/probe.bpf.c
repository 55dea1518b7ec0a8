#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

#define HOST_SIZE 256

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    u32 failed;
    char host[HOST_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct bucket {
    u32 tgid;
    u32 slot;
};
BPF_PERCPU_HASH(latency, struct bucket, u64);

// The name is read when the call returns: by then its page is surely mapped.
enum { HOST };

int on_call(struct pt_regs *ctx)
{
    u64 host = PT_REGS_PARM1(ctx);
    if (!host) // an address to listen on, not a lookup
        return 0;
    struct call call = {.args = {[HOST] = host}};
    return call_entered(&call);
}

static void count(u32 tgid, u64 took)
{
    struct bucket bucket = {.tgid = tgid, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *count = latency.lookup_or_try_init(&bucket, &zero);
    if (!count) {
        map_full();
        return;
    }
    __sync_fetch_and_add(count, 1);
}

static void report(bool failed)
{
    u64 id = bpf_get_current_pid_tgid();
    struct call call = {};
    if (!call_returned(&call))
        return;
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_min
    if (now - call.since < PARAM_min)
        return;
#endif
    count(id >> 32, now - call.since);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->took = now - call.since;
    event->tgid = id >> 32;
    event->failed = failed;
    if (bpf_probe_read_user_str(event->host, sizeof(event->host), (void *)call.args[HOST]) < 0)
        event->host[0] = 0;
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_result(struct pt_regs *ctx)
{
    report((int)PT_REGS_RC(ctx) != 0);
    return 0;
}

int on_pointer(struct pt_regs *ctx)
{
    report(PT_REGS_RC(ctx) == 0);
    return 0;
}
