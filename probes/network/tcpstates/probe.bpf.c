#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u64 lasted; // 0 if it started before the probe was attached
    u32 tgid;
    u32 before;
    u32 after;
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct state {
    u64 since;
    u32 tgid;
    u32 unused;
    char comm[COMM_SIZE];
};
BPF_HASH(states, u64, struct state, 65536); // socket → its state; bounded: by open connections

static void report(struct sock *sk, struct state *state, u64 since, int before, int after)
{
#ifdef PARAM_pid
    if (state->tgid != PARAM_pid)
        return;
#endif
#ifdef PARAM_comm
    if (!wanted_comm(state->comm))
        return;
#endif
    if (!wanted_socket(sk))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = state->since;
    event->lasted = since ? state->since - since : 0;
    event->tgid = state->tgid;
    event->before = before;
    event->after = after;
    event->local_port = local_port(sk);
    event->remote_port = remote_port(sk);
    local_address(sk, event->local);
    remote_address(sk, event->remote);
    __builtin_memcpy(event->comm, state->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    u64 key = ctx->args[0];
    int before = ctx->args[1], after = ctx->args[2];
    if (before == after || !is_tcp(sk)) // close() after shutdown() sets FIN_WAIT1 again
        return 0;
    struct state state = {.tgid = UNKNOWN_PROCESS};
    struct state *found = states.lookup(&key);
    if (found)
        state = *found;
    u64 since = state.since;
    state.since = bpf_ktime_get_ns();
    if (entered_by_process(after)) {
        state.tgid = bpf_get_current_pid_tgid() >> 32;
        bpf_get_current_comm(state.comm, sizeof(state.comm));
    }
    if (after == TCP_CLOSE)
        states.delete(&key);
    else if (states.update(&key, &state))
        map_full();
    report(sk, &state, since, before, after);
    return 0;
}
