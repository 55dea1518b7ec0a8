#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"
#include "ebpftop_file.h"
#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    s32 result; // 0, or a negative errno
    u32 backlog;
    u16 protocol;
    u16 local_port;
    u8 local[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

enum { DESCRIPTOR, BACKLOG };

int on_enter(struct tracepoint__syscalls__sys_enter_listen *args)
{
    struct call call = {.args = {[DESCRIPTOR] = args->fd, [BACKLOG] = args->backlog}};
    return call_entered(&call);
}

static void report(u32 descriptor, u32 backlog, s32 result)
{
    if (result == -EBADF || result == -ENOTSOCK) // there is no socket to report
        return;
#ifdef PARAM_failed
    if (!result)
        return;
#endif
    struct sock *sk = socket_of(file_of(descriptor));
    u16 family = READ(sk, __sk_common.skc_family), port = local_port(sk);
    if ((family != AF_INET && family != AF_INET6) || !wanted_port(port, 0))
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->result = result;
    event->backlog = result ? backlog : READ(sk, sk_max_ack_backlog); // the kernel limits it
    event->protocol = READ(sk, sk_protocol);
    event->local_port = port;
    local_address(sk, event->local);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_exit(struct tracepoint__syscalls__sys_exit_listen *args)
{
    struct call call = {};
    if (call_returned(&call))
        report(call.args[DESCRIPTOR], call.args[BACKLOG], args->ret);
    return 0;
}

#define COMPAT_LISTEN 363

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if (compat_call(ctx, &call) && compat_socket_call(&call, COMPAT_LISTEN, SOCKETCALL_LISTEN) && wanted_current())
        report(call.args[0], call.args[1], ctx->args[1]);
    return 0;
}
