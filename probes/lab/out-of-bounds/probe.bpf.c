#include "ebpftop.h"

#define ERRORS 134 // errors range from 1 to 133

struct sums {
    u64 calls;
    u64 by_error[ERRORS];
};
BPF_PERCPU_ARRAY(failures, struct sums, 1);

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    u32 only = 0;
    struct sums *sums = failures.lookup(&only);
    long result = ctx->args[1];
    if (!sums || result >= 0)
        return 0;
    u64 error = -result;
    sums->calls++;
    sums->by_error[error]++;
    return 0;
}
