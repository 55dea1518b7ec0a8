#include "ebpftop.h"

struct event {
    u64 time;
    u32 tgid;
    u32 call;
    s32 real; // the ids asked for, -1 for what is left as it is
    s32 effective;
    s32 saved;
    u32 before; // effective user, before the call and after it
    u32 after;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 256);

struct asked {
    u32 call;
    u32 before;
    s32 real;
    s32 effective;
    s32 saved;
};
BPF_HASH(changing, u32, struct asked); // bounded: by the threads inside one of these calls

static u32 effective_user(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return READ(READ(task, cred), euid.val);
}

static void remember(u32 call, s32 real, s32 effective, s32 saved)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct asked asked = {call, effective_user(), real, effective, saved};
    if (changing.update(&thread, &asked))
        map_full();
}

// setuid, setgid, setfsuid and setfsgid are alike.
int on_one(struct tracepoint__syscalls__sys_enter_setuid *args)
{
    remember(args->__syscall_nr, -1, args->uid, -1);
    return 0;
}

int on_two(struct tracepoint__syscalls__sys_enter_setreuid *args)
{
    remember(args->__syscall_nr, args->ruid, args->euid, -1);
    return 0;
}

int on_three(struct tracepoint__syscalls__sys_enter_setresuid *args)
{
    remember(args->__syscall_nr, args->ruid, args->euid, args->suid);
    return 0;
}

int on_return(struct tracepoint__syscalls__sys_exit_setuid *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = changing.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    changing.delete(&thread);
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
    event->call = asked.call;
    event->real = asked.real;
    event->effective = asked.effective;
    event->saved = asked.saved;
    event->before = asked.before;
    event->after = effective_user();
    event->result = args->ret < 0 ? args->ret : 0; // setfsuid and setfsgid return the old one
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
