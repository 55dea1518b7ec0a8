#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"

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
BPF_RINGBUF_OUTPUT(events, 1024);

enum { REQUEST, TARGET };

// Requests of ptrace(2), linux/ptrace.h, and numbers above them for the other two calls.
#define TRACEME 0
#define ATTACH 16
#define SEIZE 0x4206
#define READV 0x10000
#define WRITEV 0x10001

static int selected(u64 request, u32 target)
{
#ifndef PARAM_all
    if (request != TRACEME && request != ATTACH && request != SEIZE && request < READV)
        return 0;
#endif
#ifdef PARAM_target
    if (target != PARAM_target)
        return 0;
#endif
    return 1;
}

static u32 target_of(u64 request, u32 pid)
{
    return request == TRACEME ? bpf_get_current_pid_tgid() >> 32 : pid; // the caller will be traced by its parent
}

static int entered(u64 request, u32 target)
{
    struct call call = {.args = {[REQUEST] = request, [TARGET] = target}};
    return selected(request, target) ? call_entered(&call) : 0;
}

int on_ptrace(struct tracepoint__syscalls__sys_enter_ptrace *args)
{
    return entered(args->request, target_of(args->request, args->pid));
}

int on_readv(struct tracepoint__syscalls__sys_enter_process_vm_readv *args)
{
    return entered(READV, args->pid);
}

int on_writev(struct tracepoint__syscalls__sys_enter_process_vm_writev *args)
{
    return entered(WRITEV, args->pid);
}

static void report(u64 request, u32 target, s32 result)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->request = request;
    event->target = target;
    event->result = result < 0 ? result : 0;
    event->unused = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_ptrace *args)
{
    struct call call = {};
    if (call_returned(&call))
        report(call.args[REQUEST], call.args[TARGET], args->ret);
    return 0;
}

#define COMPAT_PTRACE 26
#define COMPAT_PROCESS_VM_READV 347
#define COMPAT_PROCESS_VM_WRITEV 348

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if (!compat_call(ctx, &call))
        return 0;
    u64 request = call.args[0];
    u32 target = call.args[0];
    if (call.number == COMPAT_PTRACE)
        target = target_of(request, call.args[1]);
    else if (call.number == COMPAT_PROCESS_VM_READV)
        request = READV;
    else if (call.number == COMPAT_PROCESS_VM_WRITEV)
        request = WRITEV;
    else
        return 0;
    if (selected(request, target) && wanted_current())
        report(request, target, ctx->args[1]);
    return 0;
}
