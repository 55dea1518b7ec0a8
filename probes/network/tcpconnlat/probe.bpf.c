#include "ebpftop_sockets.h"

struct key {
    u32 tgid;
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 65536);

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    s32 error; // 0 if established
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct attempt {
    u64 since;
    u32 tgid;
    u32 unused;
    char comm[COMM_SIZE];
};
BPF_HASH(attempts, u64, struct attempt, 65536); // by socket; bounded: by connection attempts in progress

static void begin(struct sock *sk, u64 key)
{
    if (!wanted_current() || !wanted_socket(sk))
        return;
    struct attempt attempt = {.since = bpf_ktime_get_ns(), .tgid = bpf_get_current_pid_tgid() >> 32};
    bpf_get_current_comm(attempt.comm, sizeof(attempt.comm));
    if (attempts.update(&key, &attempt))
        map_full();
}

static void count(struct attempt *attempt, u64 took)
{
    struct key key = {.tgid = attempt->tgid, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (!times) {
        map_full();
        return;
    }
    __sync_fetch_and_add(times, 1);
}

static void report(struct sock *sk, struct attempt *attempt, u64 now, s32 error)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->took = now - attempt->since;
    event->tgid = attempt->tgid;
    event->error = error;
    event->local_port = local_port(sk);
    event->remote_port = remote_port(sk);
    local_address(sk, event->local);
    remote_address(sk, event->remote);
    __builtin_memcpy(event->comm, attempt->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    u64 key = ctx->args[0];
    int after = ctx->args[2];
    if (!is_tcp(sk))
        return 0;
    if (after == TCP_SYN_SENT) {
        begin(sk, key);
        return 0;
    }
    if (after != TCP_ESTABLISHED && after != TCP_CLOSE)
        return 0;
    struct attempt *found = attempts.lookup(&key);
    if (!found)
        return 0;
    struct attempt attempt = *found;
    attempts.delete(&key);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_slower
    if (now - attempt.since <= PARAM_slower)
        return 0;
#endif
    s32 error = 0;
    if (after == TCP_ESTABLISHED)
        count(&attempt, now - attempt.since);
    else
        error = READ(sk, sk_err) ?: ECANCELED; // without an error, the process gave up
    report(sk, &attempt, now, error);
    return 0;
}
