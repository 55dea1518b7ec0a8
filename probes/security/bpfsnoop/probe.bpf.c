#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"

#define NAME_SIZE 64

struct event {
    u64 time;
    u32 tgid;
    u32 user;
    u32 command;
    u32 type;   // of the program or map; the bits above 16 say which of the two; 0 if neither
    s32 result; // 0, or a negative errno
    u32 unused;
    char comm[COMM_SIZE];
    char name[NAME_SIZE]; // of the program, map or tracepoint, or the path it is pinned to
};
BPF_RINGBUF_OUTPUT(events, 1024);

enum { ATTRIBUTES, COMMAND };

#define OF_MAP (1 << 16)
#define OF_PROGRAM (2 << 16)
#define BIT(command) (1ULL << (command))
#define CHANGES                                                                                                        \
    (BIT(BPF_MAP_CREATE) | BIT(BPF_PROG_LOAD) | BIT(BPF_OBJ_PIN) | BIT(BPF_OBJ_GET) | BIT(BPF_PROG_ATTACH) |           \
     BIT(BPF_PROG_DETACH) | BIT(BPF_PROG_TEST_RUN) | BIT(BPF_RAW_TRACEPOINT_OPEN) | BIT(BPF_BTF_LOAD) |                \
     BIT(BPF_MAP_FREEZE) | BIT(BPF_LINK_CREATE) | BIT(BPF_LINK_UPDATE) | BIT(BPF_LINK_DETACH) |                        \
     BIT(BPF_ENABLE_STATS) | BIT(BPF_ITER_CREATE) | BIT(BPF_PROG_BIND_MAP))
#define HIGHEST_READ 35 // BPF_PROG_BIND_MAP; newer commands are reported, whatever they do

static int selected(u32 command)
{
#ifndef PARAM_reads
    if (command <= HIGHEST_READ && !(CHANGES >> command & 1))
        return 0;
#endif
    return 1;
}

int on_call(struct tracepoint__syscalls__sys_enter_bpf *args)
{
    u32 command = args->cmd;
    if (!selected(command))
        return 0;
    struct call call = {.args = {[ATTRIBUTES] = (u64)args->uattr, [COMMAND] = command}};
    return call_entered(&call);
}

// Which attributes are meaningful depends on the command.
static void describe(struct event *event, u64 attributes, u32 command)
{
    union bpf_attr *attr = (union bpf_attr *)attributes;
    u32 type = 0;
    u64 text = 0;
    event->name[0] = 0;
    if (command == BPF_MAP_CREATE) {
        bpf_probe_read_user(&type, sizeof(type), &attr->map_type);
        type |= OF_MAP;
        bpf_probe_read_user_str(event->name, BPF_OBJ_NAME_LEN, attr->map_name);
    } else if (command == BPF_PROG_LOAD) {
        bpf_probe_read_user(&type, sizeof(type), &attr->prog_type);
        type |= OF_PROGRAM;
        bpf_probe_read_user_str(event->name, BPF_OBJ_NAME_LEN, attr->prog_name);
    } else if (command == BPF_OBJ_PIN || command == BPF_OBJ_GET || command == BPF_RAW_TRACEPOINT_OPEN) {
        bpf_probe_read_user(&text, sizeof(text), attr); // a path or name is the first attribute of each
        bpf_probe_read_user_str(event->name, sizeof(event->name), (void *)text);
    }
    event->type = type;
}

static void report(u64 attributes, u32 command, s32 result)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = bpf_ktime_get_ns();
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->user = bpf_get_current_uid_gid();
    event->command = command;
    event->result = result < 0 ? result : 0;
    event->unused = 0;
    describe(event, attributes, command);
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_return(struct tracepoint__syscalls__sys_exit_bpf *args)
{
    struct call call = {};
    if (call_returned(&call))
        report(call.args[ATTRIBUTES], call.args[COMMAND], args->ret);
    return 0;
}

#define COMPAT_BPF 357

int on_compat(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    if (compat_call(ctx, &call) && call.number == COMPAT_BPF && selected(call.args[0]) && wanted_current())
        report(call.args[1], call.args[0], ctx->args[1]);
    return 0;
}
