#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

struct event {
    u64 time;
    u32 tgid;
    u32 call;
    s32 real; // the requested ids, -1 for one left unchanged
    s32 effective;
    s32 saved;
    u32 before; // effective user, before the call and after it
    u32 after;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

enum { REAL, EFFECTIVE, SAVED, BEFORE };

static u32 effective_user(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return READ(READ(task, cred), euid.val);
}

static int entered(s32 real, s32 effective, s32 saved)
{
    struct call call = {.args = {[REAL] = real, [EFFECTIVE] = effective, [SAVED] = saved, [BEFORE] = effective_user()}};
    return call_entered(&call);
}

// For setuid, setgid, setfsuid and setfsgid.
int on_one(struct tracepoint__syscalls__sys_enter_setuid *args)
{
    return entered(-1, args->uid, -1);
}

int on_two(struct tracepoint__syscalls__sys_enter_setreuid *args)
{
    return entered(args->ruid, args->euid, -1);
}

int on_three(struct tracepoint__syscalls__sys_enter_setresuid *args)
{
    return entered(args->ruid, args->euid, args->suid);
}

int on_return(struct tracepoint__syscalls__sys_exit_setuid *args)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
#ifdef PARAM_failed
    if (args->ret >= 0)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = args->__syscall_nr;
    event->real = call.args[REAL];
    event->effective = call.args[EFFECTIVE];
    event->saved = call.args[SAVED];
    event->before = call.args[BEFORE];
    event->after = effective_user();
    event->result = args->ret < 0 ? args->ret : 0; // setfsuid and setfsgid return the old one
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
