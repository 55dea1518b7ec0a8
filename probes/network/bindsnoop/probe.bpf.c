#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"
#include "ebpftop_file.h"
#include "ebpftop_sockets.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    s32 result;   // 0, or a negative errno
    u16 protocol; // 0 if the descriptor isn't a socket
    u16 local_port;
    u8 local[ADDRESS_SIZE];
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

enum { ADDRESS, DESCRIPTOR };

int on_enter(struct tracepoint__syscalls__sys_enter_bind *args)
{
    struct call call = {.args = {[ADDRESS] = (u64)args->umyaddr, [DESCRIPTOR] = args->fd}};
    return call_entered(&call);
}

// struct sockaddr_in and sockaddr_in6, see ip(7) and ipv6(7)
static void report(const u8 *address, u32 descriptor, s32 result)
{
#ifdef PARAM_failed
    if (!result)
        return;
#endif
    u16 start[2] = {}; // family, port
    bpf_probe_read_user(start, sizeof(start), address);
    if (start[0] != AF_INET && start[0] != AF_INET6)
        return;
    u16 port = ntohs(start[1]), protocol = 0;
    if (result != -EBADF && result != -ENOTSOCK) {
        struct sock *sk = socket_of(file_of(descriptor));
        protocol = READ(sk, sk_protocol);
        if (!result && !port) // the kernel chose it
            port = local_port(sk);
    }
    if (!wanted_port(port, 0))
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
    event->protocol = protocol;
    event->local_port = port;
    if (start[0] == AF_INET) {
        __builtin_memset(event->local, 0, 10);
        event->local[10] = event->local[11] = 0xff;
        bpf_probe_read_user(event->local + 12, 4, address + 4);
    } else {
        bpf_probe_read_user(event->local, ADDRESS_SIZE, address + 8);
    }
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

int on_exit(struct tracepoint__syscalls__sys_exit_bind *args)
{
    struct call call = {};
    if (call_returned(&call))
        report((const u8 *)call.args[ADDRESS], call.args[DESCRIPTOR], args->ret);
    return 0;
}

#define COMPAT_BIND 361

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if (compat_call(ctx, &call) && compat_socket_call(&call, COMPAT_BIND, SOCKETCALL_BIND) && wanted_current())
        report((const u8 *)(u64)call.args[1], call.args[0], ctx->args[1]);
    return 0;
}
