#include "ebpftop.h"
#include "ebpftop_thread.h"

struct key {
    u32 tgid;
    THREAD_FIELDS
    u32 slot;
};
BPF_HASH(latency, struct key, u64, 65536); // waits of that length, by process or thread

struct whose {
    u32 tgid;
    THREAD_FIELDS
};
struct sum {
    u64 waits;
    u64 waited;   // ns
    u64 changed;  // returned at once: the futex had changed
    u64 timeouts; // timed out
};
BPF_HASH(waits, struct whose, struct sum, 32768); // by process or thread

BPF_HASH(waiting, u32, u64, 65536); // thread → start of its wait; bounded: by the threads inside futex

// Commands of futex(2), linux/futex.h
#define COMMAND 0x7f
#define WAIT 0
#define LOCK_PI 6
#define WAIT_BITSET 9
#define WAIT_REQUEUE_PI 11
#define LOCK_PI2 13

static void begin(void)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    u64 now = bpf_ktime_get_ns();
    if (waiting.update(&thread, &now))
        map_full();
}

int on_futex(struct tracepoint__syscalls__sys_enter_futex *args)
{
    u32 command = args->op & COMMAND;
    if (command == WAIT || command == WAIT_BITSET || command == LOCK_PI || command == LOCK_PI2 ||
        command == WAIT_REQUEUE_PI)
        begin();
    return 0;
}

#if defined(VARIANT_futex)
// this kernel has no other call that waits
#elif defined(VARIANT_waitv) || defined(VARIANT_all)
int on_futex_waitv(struct tracepoint__syscalls__sys_enter_futex_waitv *args)
{
    begin();
    return 0;
}
#endif

#ifdef VARIANT_all
int on_futex_wait(struct tracepoint__syscalls__sys_enter_futex_wait *args)
{
    begin();
    return 0;
}
#endif

static void add(u32 tgid, u64 waited, long result)
{
    struct whose whose = {.tgid = tgid};
    name_thread(&whose, current_thread());
    struct sum zero = {};
    struct sum *sum = waits.lookup_or_try_init(&whose, &zero);
    if (!sum) {
        map_full();
        return;
    }
    __sync_fetch_and_add(&sum->waits, 1);
    __sync_fetch_and_add(&sum->waited, waited);
    if (result == -EAGAIN)
        __sync_fetch_and_add(&sum->changed, 1);
    if (result == -ETIMEDOUT)
        __sync_fetch_and_add(&sum->timeouts, 1);
}

// All these calls return through here.
int on_return(struct tracepoint__syscalls__sys_exit_futex *args)
{
    u32 thread = bpf_get_current_pid_tgid();
    u64 *since = waiting.lookup(&thread);
    if (!since)
        return 0;
    u64 waited = bpf_ktime_get_ns() - *since;
    waiting.delete(&thread);
    struct key key = {.tgid = bpf_get_current_pid_tgid() >> 32, .slot = ll_slot(waited)};
    name_thread(&key, current_thread());
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&key, &zero);
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        map_full();
    add(key.tgid, waited, args->ret);
    return 0;
}
