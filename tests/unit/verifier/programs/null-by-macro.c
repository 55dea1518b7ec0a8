#define COUNT(count, by) \
    do { \
        if ((by) > 0) \
            *(count) += (by); \
    } while (0)
BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 *count = counts.lookup(&pid);
    COUNT(count, bpf_get_smp_processor_id()); // here
    return 0;
}
