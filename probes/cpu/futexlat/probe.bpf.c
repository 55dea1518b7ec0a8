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

struct wait {
    u64 since;
    u32 holder; // the thread that holds the lock, 0 if unknown
    u32 unused;
};
BPF_HASH(waiting, u32, struct wait, 65536); // by thread; bounded: by the threads inside futex

// Commands of futex(2), linux/futex.h
#define COMMAND 0x7f
#define WAIT 0
#define LOCK_PI 6
#define WAIT_BITSET 9
#define WAIT_REQUEUE_PI 11
#define LOCK_PI2 13

// A lock of glibc holds this while somebody waits for it, and a mutex the number of its owner 8 bytes further on.
#define CONTENDED 2
#define OWNER 8
#define HOLDER_BITS 0x3fffffff // of the word of a lock with priority inheritance: FUTEX_TID_MASK

static void begin(u64 address, u32 mask)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct wait wait = {.since = bpf_ktime_get_ns()};
    if (address)
        bpf_probe_read_user(&wait.holder, sizeof(wait.holder), (void *)address);
    wait.holder &= mask;
    if (waiting.update(&thread, &wait))
        map_full();
}

int on_futex(struct tracepoint__syscalls__sys_enter_futex *args)
{
    u32 command = args->op & COMMAND;
    u64 word = (u64)args->uaddr;
    if (command == LOCK_PI || command == LOCK_PI2)
        begin(word, HOLDER_BITS);
    else if (command == WAIT || command == WAIT_BITSET)
        begin((u32)args->val == CONTENDED ? word + OWNER : 0, HOLDER_BITS);
    else if (command == WAIT_REQUEUE_PI)
        begin(0, 0);
    return 0;
}

#if defined(VARIANT_futex)
// this kernel has no other call that waits
#elif defined(VARIANT_waitv) || defined(VARIANT_all)
int on_futex_waitv(struct tracepoint__syscalls__sys_enter_futex_waitv *args)
{
    begin(0, 0);
    return 0;
}
#endif

#ifdef VARIANT_all
int on_futex_wait(struct tracepoint__syscalls__sys_enter_futex_wait *args)
{
    begin(0, 0);
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
    struct wait *wait = waiting.lookup(&thread);
    if (!wait)
        return 0;
    u64 waited = bpf_ktime_get_ns() - wait->since;
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
