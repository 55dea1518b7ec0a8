#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u64 lived;
    u64 sent; // bytes of data, each counted once
    u64 received;
    u32 tgid;
    u32 state; // the last one before it was closed
    s32 error; // pending on the socket, 0 after an orderly close
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

struct life {
    u64 born;
    u32 tgid;
    u32 unused;
    char comm[COMM_SIZE];
};
BPF_HASH(lives, u64, struct life, 65536); // socket → its connection; bounded: by open connections

static void begin(u64 key, int state)
{
    struct life life = {.born = bpf_ktime_get_ns(), .tgid = UNKNOWN_PROCESS};
    if (entered_by_process(state)) {
        life.tgid = bpf_get_current_pid_tgid() >> 32;
        bpf_get_current_comm(life.comm, sizeof(life.comm));
    }
    if (lives.update(&key, &life))
        map_full();
}

static int wanted(struct sock *sk, struct life *life)
{
#ifdef PARAM_pid
    if (life->tgid != PARAM_pid)
        return 0;
#endif
#ifdef PARAM_comm
    if (!wanted_comm(life->comm))
        return 0;
#endif
    return wanted_socket(sk);
}

static void report(struct sock *sk, struct life *life, int state)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    struct tcp_sock *tcp = (struct tcp_sock *)sk;
    event->time = bpf_ktime_get_ns();
    event->lived = event->time - life->born;
    event->sent = READ(tcp, bytes_sent) - READ(tcp, bytes_retrans);
    u64 ended = READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1; // the peer's FIN, which counts as a byte
    event->received = READ(tcp, bytes_received) - ended;
    event->tgid = life->tgid;
    event->state = state;
    event->error = READ(sk, sk_err);
    event->local_port = local_port(sk);
    event->remote_port = remote_port(sk);
    local_address(sk, event->local);
    remote_address(sk, event->remote);
    __builtin_memcpy(event->comm, life->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    u64 key = ctx->args[0];
    int before = ctx->args[1], after = ctx->args[2];
    if (!is_tcp(sk))
        return 0;
    if (after == TCP_SYN_SENT || after == TCP_SYN_RECV) {
        begin(key, after);
        return 0;
    }
    struct life *found = lives.lookup(&key);
    if (!found)
        return 0;
    if (entered_by_process(after)) {
        found->tgid = bpf_get_current_pid_tgid() >> 32;
        bpf_get_current_comm(found->comm, sizeof(found->comm));
    }
    if (after != TCP_CLOSE)
        return 0;
    struct life life = *found;
    lives.delete(&key);
    if (wanted(sk, &life))
        report(sk, &life, before);
    return 0;
}
