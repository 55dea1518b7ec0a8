#include "ebpftop_file.h"
#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 tgid;
    u16 local_port;
    u16 remote_port;
    u8 local[ADDRESS_SIZE];
    u8 remote[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

static void report(struct sock *sk)
{
    if (!is_tcp(sk) || !wanted_current() || !wanted_socket(sk))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->local_port = local_port(sk);
    event->remote_port = remote_port(sk);
    local_address(sk, event->local);
    remote_address(sk, event->remote);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

#ifdef VARIANT_kprobe
int on_accepted(struct pt_regs *ctx)
{
    struct sock *sk = (struct sock *)PT_REGS_RC(ctx);
    if (sk)
        report(sk);
    return 0;
}
#endif

#ifdef VARIANT_syscalls
int on_accept(struct tracepoint__syscalls__sys_exit_accept *args)
{
    if (args->ret >= 0)
        report(socket_of(file_of(args->ret)));
    return 0;
}
#endif
