#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"
#include "ebpftop_file.h"

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u32 call;
    u32 namespaces; // CLONE_NEW*
    u32 child;      // in the new namespaces, for clone(2) only
    s32 result;     // 0, or a negative errno
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

enum { NAMESPACES };

// CLONE_NEW*, linux/sched.h: time, mnt, cgroup, uts, ipc, user, pid, net
#define CLONE_NEW (0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000)

static void report(u32 call, u32 namespaces, u32 child, s32 result)
{
#ifdef PARAM_failed
    if (!result)
        return;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->call = call;
    event->namespaces = namespaces;
    event->child = child;
    event->result = result;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

static int entered(u64 namespaces)
{
    struct call call = {.args = {[NAMESPACES] = namespaces}};
    return call_entered(&call);
}

int on_unshare(struct tracepoint__syscalls__sys_enter_unshare *args)
{
    u32 namespaces = args->unshare_flags & CLONE_NEW;
    return namespaces ? entered(namespaces) : 0; // 0: it unshares files or the like
}

// The kind of namespace a descriptor refers to, 0 if none.
static u32 kind_of(u32 descriptor)
{
    struct file *file = file_of(descriptor);
    struct ns_common *ns = READ(READ(file, f_inode), i_private);
#ifdef HAS_ns_common__ns_type
    return READ(ns, ns_type) & CLONE_NEW;
#else
    return READ(READ(ns, ops), type) & CLONE_NEW;
#endif
}

// 0 flags: whatever kind the descriptor is.
static u32 entered_by(u32 descriptor, u32 flags)
{
    return flags ? flags & CLONE_NEW : kind_of(descriptor);
}

int on_setns(struct tracepoint__syscalls__sys_enter_setns *args)
{
    return entered(entered_by(args->fd, args->flags));
}

int on_return(struct tracepoint__syscalls__sys_exit_unshare *args)
{
    struct call call = {};
    if (call_returned(&call))
        report(args->__syscall_nr, call.args[NAMESPACES], 0, args->ret);
    return 0;
}

// Numbers of i386, and those of the same calls on x86-64, which have the names. 32-bit Arm has i386's number of clone.
#define COMPAT_CLONE 120
#define COMPAT_UNSHARE 310
#define COMPAT_SETNS 346
#ifdef CONFIG_X86_64
#define NATIVE_CLONE 56
#else
#define NATIVE_CLONE 220
#endif
#define NATIVE_UNSHARE 272
#define NATIVE_SETNS 308

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if (!compat_call(ctx, &call) || !wanted_current())
        return 0;
    u32 unshared = call.args[0] & CLONE_NEW;
    if (call.number == COMPAT_UNSHARE && unshared)
        report(NATIVE_UNSHARE, unshared, 0, ctx->args[1]);
    else if (call.number == COMPAT_SETNS)
        report(NATIVE_SETNS, entered_by(call.args[0], call.args[1]), 0, ctx->args[1]);
    return 0;
}

static u32 calling(void)
{
    u32 number = current_syscall();
    return number == COMPAT_NUMBERS + COMPAT_CLONE ? NATIVE_CLONE : number % COMPAT_NUMBERS; // others have one number
}

int on_newtask(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *child = (struct task_struct *)ctx->args[0];
    u32 namespaces = ctx->args[1] & CLONE_NEW;
    if (namespaces && wanted_current())
        report(calling(), namespaces, READ(child, tgid), 0);
    return 0;
}
