#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u32 request;
    u32 target;
    s32 result; // 0, or a negative errno
    u32 unused;
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

struct asked {
    u32 request;
    u32 target;
};
BPF_HASH(tracing, u32, struct asked); // bounded: by the threads inside one of these calls

// Requests of ptrace(2), linux/ptrace.h, and numbers above them for the other two calls.
#define TRACEME 0
#define ATTACH 16
#define SEIZE 0x4206
#define READV 0x10000
#define WRITEV 0x10001

static void remember(u32 request, u32 target)
{
#ifdef PARAM_target
    if (target != PARAM_target)
        return;
#endif
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {.request = request, .target = target};
    if (tracing.update(&thread, &asked))
        map_full();
}

int on_ptrace(struct tracepoint__syscalls__sys_enter_ptrace *args)
{
    u64 request = args->request;
    if (request == TRACEME) // whoever asks for it will be traced by its parent
        remember(request, bpf_get_current_pid_tgid() >> 32);
#ifndef PARAM_all
    else if (request == ATTACH || request == SEIZE)
#else
    else
#endif
        remember(request, args->pid);
    return 0;
}

int on_readv(struct tracepoint__syscalls__sys_enter_process_vm_readv *args)
{
    remember(READV, args->pid);
    return 0;
}

int on_writev(struct tracepoint__syscalls__sys_enter_process_vm_writev *args)
{
    remember(WRITEV, args->pid);
    return 0;
}

// All of these calls return alike.
int on_return(struct tracepoint__syscalls__sys_exit_ptrace *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = tracing.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    tracing.delete(&thread);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->request = asked.request;
    event->target = asked.target;
    event->result = args->ret < 0 ? args->ret : 0;
    event->unused = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
