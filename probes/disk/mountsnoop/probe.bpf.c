#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_file.h"

#define SOURCE_SIZE 128
#define TARGET_SIZE 256
#define TYPE_SIZE 32
#define WORD_SIZE 64 // of an option: its name, and its value
#define MESSAGE_SIZE 128

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
    char option[2 * WORD_SIZE];
    char message[MESSAGE_SIZE]; // of the kernel, for the caller
};
BPF_RINGBUF_OUTPUT(events, 64);

// Texts are read when the call returns: by then their pages are surely mapped. Which of these a call has, and whether the
// last are addresses, depends on the call.
enum { FIRST, SECOND, THIRD, FLAGS };
enum { CONTEXT = THIRD }; // of a mount in the making, struct fs_context

#define RECONFIGURE 7 // commands of fsconfig(2), linux/mount.h
#define SET_STRING 1

int on_mount(struct tracepoint__syscalls__sys_enter_mount *args)
{
    struct call call = {.args = {(u64)args->dev_name, (u64)args->dir_name, (u64)args->type, args->flags}};
    return call_entered(&call);
}

int on_umount(struct tracepoint__syscalls__sys_enter_umount *args)
{
    struct call call = {.args = {[SECOND] = (u64)args->name, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_move_mount(struct tracepoint__syscalls__sys_enter_move_mount *args)
{
    struct call call = {
        .args = {(u64)args->from_pathname, (u64)args->to_pathname, [THIRD] = args->from_dfd, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_open_tree(struct tracepoint__syscalls__sys_enter_open_tree *args)
{
    struct call call = {.args = {[FIRST] = (u64)args->filename, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_mount_setattr(struct tracepoint__syscalls__sys_enter_mount_setattr *args)
{
    struct call call = {.args = {[SECOND] = (u64)args->path, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_fsopen(struct tracepoint__syscalls__sys_enter_fsopen *args)
{
    struct call call = {.args = {[THIRD] = (u64)args->_fs_name, [FLAGS] = args->flags}};
    return call_entered(&call);
}

int on_fspick(struct tracepoint__syscalls__sys_enter_fspick *args)
{
    struct call call = {.args = {[SECOND] = (u64)args->path, [FLAGS] = args->flags}};
    return call_entered(&call);
}

// The struct fs_context behind a descriptor of fsopen or fspick, 0 behind any other.
static u64 context_of(u32 descriptor)
{
    struct file *file = file_of(descriptor);
    char name[8] = {};
    bpf_probe_read_kernel_str(name, sizeof(name), READ(READ(file, f_path.dentry), d_name.name));
    return *(u64 *)name == *(u64 *)"[fscont" ? (u64)READ(file, private_data) : 0; // [fscontext]
}

int on_fsconfig(struct tracepoint__syscalls__sys_enter_fsconfig *args)
{
    u32 command = args->cmd;
    struct call call = {
        .args = {(u64)args->_key, command == SET_STRING ? (u64)args->_value : 0, context_of(args->fd), command}};
    return call_entered(&call);
}

int on_fsmount(struct tracepoint__syscalls__sys_enter_fsmount *args)
{
    struct call call = {.args = {[CONTEXT] = context_of(args->fs_fd), [FLAGS] = args->flags}};
    return call_entered(&call);
}

static u32 mount_namespace(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct mnt_namespace *mounts = READ(READ(task, nsproxy), mnt_ns);
    return READ(mounts, ns.inum);
}

// The event of a call that returns; its texts are empty.
static struct event *returned(struct call *call, u32 number, s32 result)
{
#ifdef PARAM_failed
    if (result >= 0)
        return 0;
#endif
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->took = event->time - call->since;
    event->flags = call->args[FLAGS];
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = number;
    event->result = result < 0 ? result : 0; // success may be a descriptor
    event->namespace = mount_namespace();
    event->source[0] = event->target[0] = event->type[0] = event->option[0] = event->message[0] = 0;
    return event;
}

static void copy(char *to, u32 size, u64 from)
{
    if (bpf_probe_read_user_str(to, size, (void *)from) < 0)
        to[0] = 0;
}

static void copy_from_kernel(char *to, u32 size, const char *from)
{
    if (bpf_probe_read_kernel_str(to, size, from) < 0)
        to[0] = 0;
}

// What the caller itself passed is all there is to know.
static void report(struct call *call, u32 number, s32 result)
{
    struct event *event = returned(call, number, result);
    if (!event)
        return;
    copy(event->source, sizeof(event->source), call->args[FIRST]);
    copy(event->target, sizeof(event->target), call->args[SECOND]);
    copy(event->type, sizeof(event->type), call->args[THIRD]);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

// mount, umount2, mount_setattr
int on_return(struct tracepoint__syscalls__sys_exit_mount *args)
{
    struct call call = {};
    if (call_returned(&call))
        report(&call, args->__syscall_nr, args->ret);
    return 0;
}

// fsopen, fspick, open_tree: steps of no interest unless they fail.
int on_step(struct tracepoint__syscalls__sys_exit_fsopen *args)
{
    struct call call = {};
    if (call_returned(&call) && args->ret < 0)
        report(&call, args->__syscall_nr, args->ret);
    return 0;
}

// The newest message that the kernel has left for the caller, as read(2) would return it.
static void copy_message(char *to, struct fs_context *context)
{
    struct fc_log *log = READ(context, log.log);
    if (!log)
        return;
    u8 head = READ(log, head);
    if (head == READ(log, tail))
        return;
    char *newest = 0;
    bpf_probe_read_kernel(&newest, sizeof(newest), &log->buffer[(head - 1) & 7]);
    long size = bpf_probe_read_kernel_str(to, MESSAGE_SIZE, newest);
    u32 last = (size - 2) & (MESSAGE_SIZE - 1); // before the NUL
    if (size <= 1)
        to[0] = 0;
    else if (to[last] == '\n')
        to[last] = 0;
}

// The kernel collects a mount's source and type in its context.
static void report_context(struct call *call, u32 number, s32 result, int has_option)
{
    struct event *event = returned(call, number, result);
    if (!event)
        return;
    struct fs_context *context = (struct fs_context *)call->args[CONTEXT];
    if (context) {
        copy_from_kernel(event->source, sizeof(event->source), READ(context, source));
        copy_from_kernel(event->type, sizeof(event->type), READ(READ(context, fs_type), name));
        copy_message(event->message, context);
    }
    if (has_option) {
        long size = bpf_probe_read_user_str(event->option, WORD_SIZE, (void *)call->args[FIRST]);
        u32 end = (size - 1) & (WORD_SIZE - 1); // at most WORD_SIZE - 1, which the mask shows the verifier
        if (size <= 0)
            event->option[0] = 0;
        else if (call->args[SECOND]) {
            event->option[end] = '=';
            copy(event->option + end + 1, WORD_SIZE, call->args[SECOND]);
        }
    }
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_fsconfig_return(struct tracepoint__syscalls__sys_exit_fsconfig *args)
{
    struct call call = {};
    if (call_returned(&call) && (args->ret < 0 || call.args[FLAGS] == RECONFIGURE)) // which is a remount
        report_context(&call, args->__syscall_nr, args->ret, 1);
    return 0;
}

int on_fsmount_return(struct tracepoint__syscalls__sys_exit_fsmount *args)
{
    struct call call = {};
    if (call_returned(&call) && args->ret < 0)
        report_context(&call, args->__syscall_nr, args->ret, 0);
    return 0;
}

// A mount is moved by its descriptor, from nowhere if it is new: the kernel knows its source and type.
int on_moved(struct tracepoint__syscalls__sys_exit_move_mount *args)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    struct event *event = returned(&call, args->__syscall_nr, args->ret);
    if (!event)
        return 0;
    copy(event->source, sizeof(event->source), call.args[FIRST]);
    copy(event->target, sizeof(event->target), call.args[SECOND]);
    struct file *file = file_of(call.args[THIRD]);
    if (!event->source[0] && file) {
        struct vfsmount *moved = READ(file, f_path.mnt);
        struct mount *mount = (struct mount *)((char *)moved - offsetof(struct mount, mnt));
        copy_from_kernel(event->source, sizeof(event->source), READ(mount, mnt_devname));
        copy_from_kernel(event->type, sizeof(event->type), READ(READ(READ(moved, mnt_sb), s_type), name));
    }
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
