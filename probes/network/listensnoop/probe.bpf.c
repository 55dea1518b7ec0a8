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
BPF_RINGBUF_OUTPUT(events, 256);

struct asked {
    u32 descriptor;
    u32 backlog;
};
BPF_HASH(listening, u32, struct asked); // bounded: by the threads inside listen

int on_enter(struct tracepoint__syscalls__sys_enter_listen *args)
{
    if (!wanted_current())
        return 0;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.descriptor = args->fd, .backlog = args->backlog};
    if (listening.update(&thread, &asked))
        map_full();
    return 0;
}

static void report(struct sock *sk, u32 backlog, s32 result)
{
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
    event->backlog = backlog;
    event->protocol = READ(sk, sk_protocol);
    event->local_port = port;
    local_address(sk, event->local);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

int on_exit(struct tracepoint__syscalls__sys_exit_listen *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    s32 result = args->ret;
    struct asked *found = listening.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    listening.delete(&thread);
    if (result == -EBADF || result == -ENOTSOCK) // there is no socket to tell of
        return 0;
#ifdef PARAM_failed
    if (!result)
        return 0;
#endif
    report(socket_of(file_of(asked.descriptor)), asked.backlog, result);
    return 0;
}
