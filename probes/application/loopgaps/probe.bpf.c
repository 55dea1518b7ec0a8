#include "ebpftop.h"

struct bucket {
    u32 tgid;
    u32 slot;
};
BPF_HASH(gaps, struct bucket, u64, 65536); // by process

struct event {
    u64 time; // when the loop waits again
    u64 gap;
    u64 on_cpu; // of it
    u32 tgid;
    u32 call; // that it waits with
    char comm[COMM_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

// What a thread waits with, from what blocking code uses as well to what only event loops do.
enum { POLL, RING, EPOLL };

struct loop {
    u64 since;  // it doesn't wait, 0 while it does
    u64 on_cpu; // what it had used then
    u32 kind;
    u32 unused;
};
BPF_HASH(loops, u32, struct loop, 65536); // thread → its loop; bounded: by the threads that live

static u64 cpu_time(void)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return READ(task, se.sum_exec_runtime);
}

static void report(u64 now, u64 gap, u64 on_cpu, u32 call)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = now;
    event->gap = gap;
    event->on_cpu = on_cpu;
    event->tgid = bpf_get_current_pid_tgid() >> 32;
    event->call = call;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

// A poll inside of a loop around epoll, as blocking code makes it, is a part of the gap.
static int waits(u32 kind, u32 call)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct loop *loop = loops.lookup(&thread);
    if (!loop) {
        struct loop first = {.kind = kind};
        if (wanted_current() && loops.update(&thread, &first))
            map_full();
        return 0;
    }
    if (kind < loop->kind)
        return 0;
    u64 since = loop->since, on_cpu = cpu_time() - loop->on_cpu;
    loop->since = 0;
    if (kind > loop->kind) { // what it did before was no loop
        loop->kind = kind;
        return 0;
    }
    if (!since)
        return 0;
    u64 now = bpf_ktime_get_ns(), gap = now - since;
    struct bucket bucket = {.tgid = bpf_get_current_pid_tgid() >> 32, .slot = ll_slot(gap)};
    u64 zero = 0;
    u64 *times = gaps.lookup_or_try_init(&bucket, &zero);
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        map_full();
    if (gap > PARAM_slower)
        report(now, gap, on_cpu < gap ? on_cpu : gap, call);
    return 0;
}

static int waited(u32 kind)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct loop *loop = loops.lookup(&thread);
    if (!loop || loop->kind != kind || loop->since) // or it didn't wait, as a ring's submission doesn't
        return 0;
    loop->on_cpu = cpu_time();
    loop->since = bpf_ktime_get_ns();
    return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    loops.delete(&thread);
    return 0;
}

#if defined(VARIANT_all) || defined(VARIANT_newer)
int on_epoll(struct tracepoint__syscalls__sys_enter_epoll_pwait *args)
{
    return waits(EPOLL, args->__syscall_nr);
}

int on_epolled(void *args)
{
    return waited(EPOLL);
}

int on_poll(struct tracepoint__syscalls__sys_enter_ppoll *args)
{
    return waits(POLL, args->__syscall_nr);
}

int on_polled(void *args)
{
    return waited(POLL);
}

#define WAIT_FOR_RESULTS 1 // IORING_ENTER_GETEVENTS: other calls only submit requests

int on_ring(struct tracepoint__syscalls__sys_enter_io_uring_enter *args)
{
    return args->flags & WAIT_FOR_RESULTS ? waits(RING, args->__syscall_nr) : 0;
}

int on_ring_waited(void *args)
{
    return waited(RING);
}
#endif
