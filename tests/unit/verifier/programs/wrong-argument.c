BPF_HASH(counts, u64, u64);
int f(void *ctx) {
    return counts.lookup((u64 *)bpf_ktime_get_ns()) != 0; // here
}
