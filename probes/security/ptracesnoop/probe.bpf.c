#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

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

enum { REQUEST, TARGET };

// Requests of ptrace(2), linux/ptrace.h, and numbers above them for the other two calls.
#define TRACEME 0
#define ATTACH 16
#define SEIZE 0x4206
#define READV 0x10000
#define WRITEV 0x10001

static int entered(u64 request, u32 target)
{
#ifdef PARAM_target
    if (target != PARAM_target)
        return 0;
#endif
    struct call call = {.args = {[REQUEST] = request, [TARGET] = target}};
    return call_entered(&call);
}

int on_ptrace(struct tracepoint__syscalls__sys_enter_ptrace *args)
{
    u64 request = args->request;
    if (request == TRACEME) // the caller will be traced by its parent
        return entered(request, bpf_get_current_pid_tgid() >> 32);
#ifndef PARAM_all
    if (request != ATTACH && request != SEIZE)
        return 0;
#endif
    return entered(request, args->pid);
}

int on_readv(struct tracepoint__syscalls__sys_enter_process_vm_readv *args)
{
    return entered(READV, args->pid);
}

int on_writev(struct tracepoint__syscalls__sys_enter_process_vm_writev *args)
{
    return entered(WRITEV, args->pid);
}

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_ptrace *args)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->request = call.args[REQUEST];
    event->target = call.args[TARGET];
    event->result = args->ret < 0 ? args->ret : 0;
    event->unused = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
