#include "ebpftop.h"

#define PATH_SIZE 128

struct event {
    u64 time;
    u64 capabilities; // the effective set, one bit each
    u32 tgid;
    u32 ppid;
    u32 user;
    u32 becomes;
    u32 gid;
    u32 becomes_gid;
    u32 mode; // of the file
    u32 unused;
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    struct linux_binprm *program = (struct linux_binprm *)ctx->args[2];
    const struct cred *cred = READ(task, cred);
    u32 mode = READ(READ(READ(program, file), f_inode), i_mode);
    u32 user = READ(cred, uid.val), becomes = READ(cred, euid.val);
    u32 gid = READ(cred, gid.val), becomes_gid = READ(cred, egid.val);
    u64 capabilities = 0;
    bpf_probe_read_kernel(&capabilities, sizeof(capabilities), &cred->cap_effective);
    if (user == becomes && gid == becomes_gid && (!becomes || !capabilities)) // root has all of them anyway
        return 0;
    if (!wanted_task(task))
        return 0;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = READ(task, tgid);
    event->ppid = READ(READ(task, real_parent), tgid);
    event->capabilities = capabilities;
    event->user = user;
    event->becomes = becomes;
    event->gid = gid;
    event->becomes_gid = becomes_gid;
    event->mode = mode & 07777;
    event->unused = 0;
    bpf_probe_read_kernel_str(event->path, sizeof(event->path), READ(program, filename));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
