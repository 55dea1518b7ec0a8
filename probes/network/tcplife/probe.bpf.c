#include "ebpftop.h"

struct event {
    u64 time;
    u64 lived;
    u64 sent; // bytes of data, each counted once
    u64 received;
    u32 tgid;
    u32 state; // the last one before it was closed
    s32 error; // what the kernel would tell the process next, 0 after an orderly end
    u16 local_port;
    u16 remote_port;
    u8 local[16]; // IPv4 as ::ffff:a.b.c.d
    u8 remote[16];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

struct life {
    u64 born;
    u32 tgid; // 0 while it isn't known
    u32 unused;
    char comm[COMM_SIZE];
};
BPF_HASH(lives, u64, struct life, 65536); // socket → its connection; bounded: by open connections

// The process is known where a state is entered from a system call: connect() makes SYN_SENT, close() and shutdown() make
// FIN_WAIT1 and LAST_ACK. Every other state may be entered from a soft interrupt, in the midst of any process.
static int in_process(int state)
{
    return state == TCP_SYN_SENT || state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK;
}

static void begin(u64 key, int state)
{
    struct life life = {.born = bpf_ktime_get_ns()};
    if (in_process(state)) {
        life.tgid = bpf_get_current_pid_tgid() >> 32;
        bpf_get_current_comm(life.comm, sizeof(life.comm));
    }
    if (lives.update(&key, &life))
        map_full();
}

static void write_addresses(struct event *event, struct sock *sk)
{
    struct inet_sock *inet = (struct inet_sock *)sk;
    event->local_port = ntohs(READ(inet, inet_sport));
    event->remote_port = ntohs(READ(sk, __sk_common.skc_dport));
    __builtin_memset(event->local, 0, sizeof(event->local));
    __builtin_memset(event->remote, 0, sizeof(event->remote));
    if (READ(sk, __sk_common.skc_family) == AF_INET) {
        event->local[10] = event->local[11] = event->remote[10] = event->remote[11] = 0xff;
        bpf_probe_read_kernel(event->local + 12, 4, &sk->__sk_common.skc_rcv_saddr);
        bpf_probe_read_kernel(event->remote + 12, 4, &sk->__sk_common.skc_daddr);
        return;
    }
#ifdef HAS_sock_common__skc_v6_daddr
    bpf_probe_read_kernel(event->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
    bpf_probe_read_kernel(event->remote, 16, &sk->__sk_common.skc_v6_daddr);
#endif
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
#ifdef PARAM_port
    struct inet_sock *inet = (struct inet_sock *)sk;
    if (ntohs(READ(inet, inet_sport)) != PARAM_port && ntohs(READ(sk, __sk_common.skc_dport)) != PARAM_port)
        return 0;
#endif
    return 1;
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
    write_addresses(event, sk);
    __builtin_memcpy(event->comm, life->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

int on_state(struct bpf_raw_tracepoint_args *ctx)
{
    struct sock *sk = (struct sock *)ctx->args[0];
    u64 key = ctx->args[0];
    int before = ctx->args[1], after = ctx->args[2];
    if (READ(sk, sk_protocol) != IPPROTO_TCP)
        return 0;
    if (after == TCP_SYN_SENT || after == TCP_SYN_RECV) {
        begin(key, after);
        return 0;
    }
    struct life *found = lives.lookup(&key);
    if (!found)
        return 0;
    if (in_process(after)) {
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
