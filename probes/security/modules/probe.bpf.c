#include "ebpftop.h"

#define NAME_SIZE 56

struct event {
    u64 time;
    u64 taints; // bits of Documentation/admin-guide/tainted-kernels
    u32 tgid;
    u32 user;
    char action[8];
    char comm[COMM_SIZE];
    char module[NAME_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 64);

static void report(u64 action, const char *name, u64 taints)
{
    if (!wanted_current())
        return;
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->taints = taints;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    __builtin_memcpy(event->action, &action, sizeof(event->action));
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    bpf_probe_read_kernel_str(event->module, sizeof(event->module), name);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_load(struct bpf_raw_tracepoint_args *ctx)
{
    struct module *module = (struct module *)ctx->args[0];
    report(*(u64 *)"load\0\0\0", module->name, READ(module, taints));
    return 0;
}

int on_free(struct bpf_raw_tracepoint_args *ctx)
{
    struct module *module = (struct module *)ctx->args[0];
    report(*(u64 *)"remove\0", module->name, READ(module, taints));
    return 0;
}

int on_request(struct bpf_raw_tracepoint_args *ctx)
{
    report(*(u64 *)"request", (const char *)ctx->args[0], 0);
    return 0;
}
