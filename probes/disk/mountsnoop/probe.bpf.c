#include "ebpftop.h"
#include "ebpftop_calls_maps.h"

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
    u32 namespace; // as in /proc/PID/ns/mnt
    char source[SOURCE_SIZE];
    char target[TARGET_SIZE];
    char type[TYPE_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 64);

// The texts are read when the call returns: by then their pages are surely mapped.
enum { SOURCE, TARGET, TYPE, FLAGS };

int on_mount(struct tracepoint__syscalls__sys_enter_mount *args)
{
    struct call call = {.args = {[SOURCE] = (u64)args->dev_name,
                                 [TARGET] = (u64)args->dir_name,
                                 [TYPE] = (u64)args->type,
                                 [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_umount(struct tracepoint__syscalls__sys_enter_umount *args)
{
    struct call call = {.args = {[TARGET] = (u64)args->name, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_move_mount(struct tracepoint__syscalls__sys_enter_move_mount *args)
{
    struct call call = {
        .args = {[SOURCE] = (u64)args->from_pathname, [TARGET] = (u64)args->to_pathname, [FLAGS] = args->flags}};
    return call_entered(&call);
}

static u32 mount_namespace(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct mnt_namespace *mounts = READ(READ(task, nsproxy), mnt_ns);
    return READ(mounts, ns.inum);
}

int on_return(struct tracepoint__syscalls__sys_exit_mount *args)
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
    event->took = event->time - call.since;
    event->flags = call.args[FLAGS];
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = args->__syscall_nr;
    event->result = args->ret;
    event->namespace = mount_namespace();
    if (bpf_probe_read_user_str(event->source, sizeof(event->source), (void *)call.args[SOURCE]) < 0)
        event->source[0] = 0;
    if (bpf_probe_read_user_str(event->target, sizeof(event->target), (void *)call.args[TARGET]) < 0)
        event->target[0] = 0;
    if (bpf_probe_read_user_str(event->type, sizeof(event->type), (void *)call.args[TYPE]) < 0)
        event->type[0] = 0;
    events.ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    return 0;
}
