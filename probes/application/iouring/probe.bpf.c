#include "ebpftop.h"

struct bucket {
    u32 tgid;
    u32 operation;
    u32 slot;
};
BPF_HASH(latency, struct bucket, u64, 65536); // by process and operation

struct key {
    u32 tgid;
    u32 operation;
};
struct sum {
    u64 requests;
    u64 failed;
    u64 took; // ns
};
BPF_HASH(operations, struct key, struct sum, 32768);

// A request and who submitted it: it may be completed anywhere.
struct request {
    u64 since;
    struct key key;
};
BPF_TABLE("lru_hash", u64, struct request, submitted, 65536); // some are completed without a word

int on_submit(struct bpf_raw_tracepoint_args *ctx)
{
    struct io_kiocb *kiocb = (struct io_kiocb *)ctx->args[0];
    if (!wanted_current())
        return 0;
    u64 address = (u64)kiocb;
    struct request request = {.since = bpf_ktime_get_ns()};
    request.key.tgid = bpf_get_current_pid_tgid() >> 32;
    request.key.operation = READ(kiocb, opcode);
    if (submitted.update(&address, &request))
        map_full();
    return 0;
}

static s32 result_of(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef VARIANT_entry
    struct io_uring_cqe *entry = (struct io_uring_cqe *)ctx->args[2];
    return READ(entry, res);
#endif
#if defined(VARIANT_result) || defined(VARIANT_sqe)
    return ctx->args[3];
#endif
}

// Further results of the same request, of which there may be many, aren't seen.
int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    u64 address = ctx->args[1];
    struct request *found = submitted.lookup(&address);
    if (!found)
        return 0;
    u64 took = bpf_ktime_get_ns() - found->since;
    struct key key = found->key;
    submitted.delete(&address);
    struct bucket bucket = {.tgid = key.tgid, .operation = key.operation, .slot = ll_slot(took)};
    u64 zero = 0;
    u64 *times = latency.lookup_or_try_init(&bucket, &zero);
    if (times)
        __sync_fetch_and_add(times, 1);
    else
        map_full();
    struct sum none = {};
    struct sum *sum = operations.lookup_or_try_init(&key, &none);
    if (!sum) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(&sum->requests, 1);
    __sync_fetch_and_add(&sum->took, took);
    if (result_of(ctx) < 0)
        __sync_fetch_and_add(&sum->failed, 1);
    return 0;
}
