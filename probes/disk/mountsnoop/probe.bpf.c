#include "ebpftop.h"

#define SOURCE_SIZE 128
#define TARGET_SIZE 256
#define TYPE_SIZE 32

struct event {
    u64 time;
    u64 took;
    u64 flags;
    u32 tgid;
    u32 call;
    s32 result;    // 0, or a negative errno
    u32 namespace; // as /proc/PID/ns/mnt tells
    char source[SOURCE_SIZE];
    char target[TARGET_SIZE];
    char type[TYPE_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 64);

// What a thread asks for. The text is read when the call returns: by then the pages it lies in are surely there.
struct asked {
    u64 since;
    u64 source;
    u64 target;
    u64 type;
    u64 flags;
};
BPF_HASH(mounting, u32, struct asked); // bounded: by the threads inside such a call

static void remember(struct asked *asked)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    asked->since = bpf_ktime_get_ns();
    if (mounting.update(&thread, asked))
        map_full();
}

int on_mount(struct tracepoint__syscalls__sys_enter_mount *args)
{
    struct asked asked = {
        .source = (u64)args->dev_name,
        .target = (u64)args->dir_name,
        .type = (u64)args->type,
        .flags = args->flags,
    };
    remember(&asked);
    return 0;
}

int on_umount(struct tracepoint__syscalls__sys_enter_umount *args)
{
    struct asked asked = {.target = (u64)args->name, .flags = args->flags};
    remember(&asked);
    return 0;
}

int on_move_mount(struct tracepoint__syscalls__sys_enter_move_mount *args)
{
    struct asked asked = {
        .source = (u64)args->from_pathname,
        .target = (u64)args->to_pathname,
        .flags = args->flags,
    };
    remember(&asked);
    return 0;
}

static u32 mount_namespace(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct mnt_namespace *mounts = READ(READ(task, nsproxy), mnt_ns);
    return READ(mounts, ns.inum);
}

int on_return(struct tracepoint__syscalls__sys_exit_mount *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct asked *found = mounting.lookup(&thread);
    if (!found)
        return 0;
    struct asked asked = *found;
    mounting.delete(&thread);
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
    event->took = event->time - asked.since;
    event->flags = asked.flags;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = args->__syscall_nr;
    event->result = args->ret;
    event->namespace = mount_namespace();
    if (bpf_probe_read_user_str(event->source, sizeof(event->source), (void *)asked.source) < 0)
        event->source[0] = 0;
    if (bpf_probe_read_user_str(event->target, sizeof(event->target), (void *)asked.target) < 0)
        event->target[0] = 0;
    if (bpf_probe_read_user_str(event->type, sizeof(event->type), (void *)asked.type) < 0)
        event->type[0] = 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
