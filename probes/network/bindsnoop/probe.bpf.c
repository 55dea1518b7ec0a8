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
BPF_RINGBUF_OUTPUT(events, 1024);

enum { ADDRESS, DESCRIPTOR };

#define AF_UNSPEC 0 // linux/socket.h

int on_enter(struct tracepoint__syscalls__sys_enter_bind *args)
{
    struct call call = {.args = {[ADDRESS] = (u64)args->umyaddr, [DESCRIPTOR] = args->fd}};
    return call_entered(&call);
}

// The address a caller asked for, and its port: struct sockaddr_in and sockaddr_in6, see ip(7) and ipv6(7). All 0 if it is
// of another family. IPv4 sockets also take AF_UNSPEC.
static u16 requested(const u8 *from, u16 family, u8 *address)
{
    u16 port = 0;
    __builtin_memset(address, 0, ADDRESS_SIZE);
    if (family == AF_INET6) {
        bpf_probe_read_user(address, ADDRESS_SIZE, from + 8);
    } else if (family == AF_INET || family == AF_UNSPEC) {
        address[10] = address[11] = 0xff;
        bpf_probe_read_user(address + 12, 4, from + 4);
    } else {
        return 0;
    }
    bpf_probe_read_user(&port, sizeof(port), from + 2);
    return ntohs(port);
}

// What the socket is bound to.
static u16 bound(struct sock *sk, u8 *address)
{
    local_address(sk, address);
    return READ(sk, sk_type) == SOCK_RAW ? 0 : local_port(sk); // a raw socket keeps its protocol there
}

static void report(const u8 *from, u32 descriptor, s32 result)
{
#ifdef PARAM_failed
    if (!result)
        return;
#endif
    struct sock *sk = 0;
    if (result != -EBADF && result != -ENOTSOCK)
        sk = socket_of(file_of(descriptor));
    u16 wanted = 0;
    bpf_probe_read_user(&wanted, sizeof(wanted), from);
    u16 family = sk ? READ(sk, __sk_common.skc_family) : wanted;
    if (family != AF_INET && family != AF_INET6)
        return;
    u8 address[ADDRESS_SIZE];
    u16 port = result ? requested(from, wanted, address) : bound(sk, address);
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
    event->protocol = READ(sk, sk_protocol);
    event->local_port = port;
    __builtin_memcpy(event->local, address, ADDRESS_SIZE);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
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
