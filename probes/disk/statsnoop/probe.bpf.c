#include "ebpftop.h"
#include "ebpftop_calls_maps.h"
#include "ebpftop_compat.h"

#define PATH_SIZE 256

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    u32 call;
    s32 result; // 0, or a negative errno
    char comm[COMM_SIZE];
    char path[PATH_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 4096);
BPF_PERCPU_ARRAY(scratch, struct event, 1); // an event in the making: its path ends where the record does

// The path is read when the call returns: by then its page is surely mapped.
enum { PATH };

static int entered(const char *path)
{
    struct call call = {.args = {[PATH] = (u64)path}};
    return call_entered(&call);
}

#if defined(VARIANT_all) || defined(VARIANT_newer)
int on_newfstatat(struct tracepoint__syscalls__sys_enter_newfstatat *args)
{
    return entered(args->filename);
}

int on_statx(struct tracepoint__syscalls__sys_enter_statx *args)
{
    return entered(args->filename);
}

int on_statfs(struct tracepoint__syscalls__sys_enter_statfs *args)
{
    return entered(args->pathname);
}
#endif

#ifdef VARIANT_all
int on_newstat(struct tracepoint__syscalls__sys_enter_newstat *args) // also newlstat
{
    return entered(args->filename);
}
#endif

static void report(u32 number, s32 result)
{
    struct call call = {};
    if (!call_returned(&call))
        return;
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_failed
    if (result >= 0)
        return;
#endif
#ifdef PARAM_slower
    if (now - call.since <= PARAM_slower)
        return;
#endif
    char first = 0;
    bpf_probe_read_user(&first, sizeof(first), (void *)call.args[PATH]);
    if (!first && !result) // an empty path: the status of an open file
        return;
    u32 only = 0;
    struct event *event = scratch.lookup(&only);
    if (!event)
        return; // never
    event->time = now;
    event->took = now - call.since;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = number;
    event->result = result;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    long length = bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)call.args[PATH]);
    u64 size = up_to(offsetof(struct event, path), length);
    if (events.ringbuf_output(event, size, wake_up(size)))
        ring_full();
}

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_newfstatat *args)
{
    report(args->__syscall_nr, args->ret);
    return 0;
}

#ifdef VARIANT_all
// Of an i386 call: the x86-64 number of the same call, which has the name, and which argument is the path. 0 for others.
static u32 native_of(u32 number, u32 *path)
{
    *path = number == 300 || number == 383;
    switch (number) {
    case 106: // stat
    case 195: // stat64
        return 4;
    case 107: // lstat
    case 196: // lstat64
        return 6;
    case 99:  // statfs
    case 268: // statfs64
        return 137;
    case 300: // fstatat64
        return 262;
    case 383: // statx
        return 332;
    }
    return 0;
}

int on_compat_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    u32 path;
    if (compat_call(ctx, &call) && native_of(call.number, &path))
        return entered((const char *)(u64)(path ? call.args[1] : call.args[0]));
    return 0;
}

int on_compat_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct compat_call call = {};
    u32 path, native;
    if (compat_call(ctx, &call) && (native = native_of(call.number, &path)))
        report(native, ctx->args[1]);
    return 0;
}
#endif
