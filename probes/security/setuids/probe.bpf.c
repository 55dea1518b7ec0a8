#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"

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
BPF_RINGBUF_OUTPUT(events, 1024);

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

static void report(u32 number, s32 result)
{
    struct call call = {};
    if (!call_returned(&call))
        return;
#ifdef PARAM_failed
    if (result >= 0)
        return;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = number;
    event->real = call.args[REAL];
    event->effective = call.args[EFFECTIVE];
    event->saved = call.args[SAVED];
    event->before = call.args[BEFORE];
    event->after = effective_user();
    event->result = result < 0 ? result : 0; // setfsuid and setfsgid return the old one
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_return(struct tracepoint__syscalls__sys_exit_setuid *args)
{
    report(args->__syscall_nr, args->ret);
    return 0;
}

// ---------------------------------------------------------------- 32-bit calls

// Of i386's calls: how many ids they take, how wide these are, and the x86-64 number of the same call, which has the name.
struct kind {
    u32 ids; // 0 for another call
    u32 bits;
    u32 native;
};

static void kind_of(u32 number, struct kind *kind)
{
#define CALL(narrow, wide, count, x86_64)                                                                              \
    case narrow:                                                                                                       \
    case wide:                                                                                                         \
        kind->bits = number == wide ? 32 : 16;                                                                         \
        kind->ids = count;                                                                                             \
        kind->native = x86_64;                                                                                         \
        break;
    switch (number) {
        CALL(23, 213, 1, 105)  // setuid
        CALL(46, 214, 1, 106)  // setgid
        CALL(138, 215, 1, 122) // setfsuid
        CALL(139, 216, 1, 123) // setfsgid
        CALL(70, 203, 2, 113)  // setreuid
        CALL(71, 204, 2, 114)  // setregid
        CALL(164, 208, 3, 117) // setresuid
        CALL(170, 210, 3, 119) // setresgid
    }
}

static s32 id_of(u32 argument, u32 bits)
{
    return bits == 32 ? (s32)argument : (u16)argument == 0xffff ? -1 : (u16)argument;
}

int on_compat_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    struct kind kind = {};
    if (!compat_call(ctx, &call))
        return 0;
    kind_of(call.number, &kind);
    s32 first = id_of(call.args[0], kind.bits), second = id_of(call.args[1], kind.bits);
    if (kind.ids == 1)
        return entered(-1, first, -1);
    if (kind.ids == 2)
        return entered(first, second, -1);
    if (kind.ids == 3)
        return entered(first, second, id_of(call.args[2], kind.bits));
    return 0;
}

int on_compat_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    struct kind kind = {};
    if (!compat_call(ctx, &call))
        return 0;
    kind_of(call.number, &kind);
    if (kind.ids)
        report(kind.native, ctx->args[1]);
    return 0;
}
