#include "count.h"
BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 *count = counts.lookup(&pid);
    COUNT_ONE(count); // here
    return 0;
}
