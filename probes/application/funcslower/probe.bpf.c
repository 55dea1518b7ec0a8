#include "ebpftop.h"
#include "ebpftop_user_stacks_maps.h"

#define ARGUMENTS 4

struct event {
    u64 time;
    u64 took;
    u64 first;
    u64 second;
    u64 third;
    u64 fourth;
    u64 result;
    u32 tgid;
    u32 point; // which of the probe's functions
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct key {
    u32 tgid;
    u32 point;
    int user;
    int kernel;
};
struct slow {
    u64 time;
    u64 calls;
};
BPF_HASH(callers, struct key, struct slow, 32768); // of slow calls, by process and function

struct place {
    u32 thread;
    u32 point;
};
struct call {
    u64 since;
    u64 args[ARGUMENTS];
};
BPF_HASH(began, struct place, struct call, 32768); // bounded: by the threads inside one of the functions

static int entered(u32 point, struct call *call)
{
    if (!wanted_current())
        return 0;
    struct place place = {.thread = bpf_get_current_pid_tgid(), .point = point};
    call->since = bpf_ktime_get_ns();
    if (began.update(&place, call))
        map_full();
    return 0;
}

static void report(struct call *call, u64 now, u32 tgid, u32 point, u64 result)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->took = now - call->since;
    event->first = call->args[0];
    event->second = call->args[1];
    event->third = call->args[2];
    event->fourth = call->args[3];
    event->result = result;
    event->tgid = tgid;
    event->point = point;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

static int returned(void *ctx, u32 point, u64 result)
{
    u64 id = bpf_get_current_pid_tgid();
    struct place place = {.thread = id, .point = point};
    struct call *found = began.lookup(&place);
    if (!found)
        return 0;
    u64 now = bpf_ktime_get_ns();
    struct call call = *found;
    began.delete(&place);
    if (now - call.since <= PARAM_slower)
        return 0;
    struct key key = {.tgid = id >> 32, .point = point, .kernel = NO_STACK};
#ifdef VARIANT_uprobe
    key.user = user_stack_of(ctx);
#else
    key.user = user_stack(ctx);
    key.kernel = stack_number(ctx, 0);
#endif
    struct slow zero = {};
    struct slow *slow = callers.lookup_or_try_init(&key, &zero);
    if (slow) {
        __sync_fetch_and_add(&slow->time, now - call.since);
        __sync_fetch_and_add(&slow->calls, 1);
    } else {
        map_full();
    }
    report(&call, now, key.tgid, point, result);
    return 0;
}

#ifdef VARIANT_fentry
int on_entry(void *ctx)
{
    struct call call = {};
    // Those that the function doesn't have stay 0.
    bpf_get_func_arg(ctx, 0, &call.args[0]);
    bpf_get_func_arg(ctx, 1, &call.args[1]);
    bpf_get_func_arg(ctx, 2, &call.args[2]);
    bpf_get_func_arg(ctx, 3, &call.args[3]);
    return entered(bpf_get_attach_cookie(ctx), &call);
}

int on_return(void *ctx)
{
    u64 result = 0;
    bpf_get_func_ret(ctx, &result);
    return returned(ctx, bpf_get_attach_cookie(ctx), result);
}
#endif

#if defined(VARIANT_kprobe) || defined(VARIANT_uprobe)
int on_entry(struct pt_regs *ctx)
{
    struct call call = {};
    call.args[0] = PT_REGS_PARM1(ctx);
    call.args[1] = PT_REGS_PARM2(ctx);
    call.args[2] = PT_REGS_PARM3(ctx);
    call.args[3] = PT_REGS_PARM4(ctx);
    return entered(bpf_get_attach_cookie(ctx), &call);
}

int on_return(struct pt_regs *ctx)
{
    return returned(ctx, bpf_get_attach_cookie(ctx), PT_REGS_RC(ctx));
}
#endif
