#include "ebpftop.h"
#include "ebpftop_compat.h"

#define PATH_SIZE 128
#define ARGS_SIZE 256 // a power of two

struct event {
    u64 time;
    u32 tgid;
    u32 ppid;
    u32 user;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
    char path[PATH_SIZE];
    char args[ARGS_SIZE]; // separated by spaces; empty if the start failed
};
BPF_RINGBUF_OUTPUT(events, 1024);

// The requested path, read only if the call fails: by then its page is surely mapped.
BPF_HASH(asked, u32, u64); // bounded: by the threads inside execve

static struct task_struct *current_task(void)
{
    return (struct task_struct *)bpf_get_current_task();
}

static int wanted(void)
{
#ifdef PARAM_parent
    struct task_struct *parent = READ(current_task(), real_parent);
    if (READ(parent, tgid) != PARAM_parent)
        return 0;
#endif
    return wanted_current();
}

static void describe(struct event *event)
{
    struct task_struct *parent = READ(current_task(), real_parent);
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->ppid = READ(parent, tgid);
    event->user = bpf_get_current_uid_gid();
    bpf_get_current_comm(event->comm, sizeof(event->comm));
}

// Replaces NUL by a space in each of the eight bytes: adding 0x7f to a byte's low seven bits sets the high one, unless
// they are 0.
static u64 spaces(u64 bytes)
{
    const u64 low = 0x7f7f7f7f7f7f7f7fULL;
    u64 nul = ~(((bytes & low) + low) | bytes | low); // 0x80 in each byte that is 0
    return bytes | nul >> 2;
}

// The new program's arguments lie in its memory one after another, each terminated by NUL.
static void copy_args(struct event *event)
{
    struct mm_struct *mm = READ(current_task(), mm);
    u64 start = READ(mm, arg_start);
    u64 size = READ(mm, arg_end) - start;
    if (size > ARGS_SIZE)
        size = ARGS_SIZE;
    if (!size || bpf_probe_read_user(event->args, size, (void *)start)) {
        event->args[0] = 0;
        return;
    }
    u64 *words = (u64 *)event->args;
    for (int i = 0; i < ARGS_SIZE / 8; i++) // no branch inside, or the verifier would follow both sides each time
        words[i] = spaces(words[i]);
    event->args[(size - 1) & (ARGS_SIZE - 1)] = 0;
}

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    u32 thread = ctx->args[1]; // its id before the call: a thread that calls execve takes over the main thread's id
    asked.delete(&thread);
#ifndef PARAM_failed
    struct linux_binprm *program = (struct linux_binprm *)ctx->args[2];
    if (!wanted())
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    describe(event);
    event->result = 0;
    bpf_probe_read_kernel_str(event->path, sizeof(event->path), READ(program, filename));
    copy_args(event);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
#endif
    return 0;
}

static void remember(u64 path)
{
    u32 thread = bpf_get_current_pid_tgid();
    if (asked.update(&thread, &path))
        map_full();
}

int on_execve(struct tracepoint__syscalls__sys_enter_execve *args)
{
    remember((u64)args->filename);
    return 0;
}

int on_execveat(struct tracepoint__syscalls__sys_enter_execveat *args)
{
    remember((u64)args->filename);
    return 0;
}

static void report_failure(u64 filename, s32 result)
{
    if (!wanted())
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    describe(event);
    event->result = result;
    event->args[0] = 0;
    if (bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)filename) < 0)
        event->path[0] = 0;
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_return(struct tracepoint__syscalls__sys_exit_execve *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *path = asked.lookup(&thread);
    if (!path)
        return 0;
    u64 filename = *path;
    asked.delete(&thread);
    if (args->ret < 0)
        report_failure(filename, args->ret);
    return 0;
}

#define COMPAT_EXECVE 11
#define COMPAT_EXECVEAT 358

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if ((long)ctx->args[1] >= 0 || !compat_call(ctx, &call))
        return 0;
    if (call.number == COMPAT_EXECVE)
        report_failure(call.args[0], ctx->args[1]);
    else if (call.number == COMPAT_EXECVEAT)
        report_failure(call.args[1], ctx->args[1]);
    return 0;
}
