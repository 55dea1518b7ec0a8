BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = 1;
    u64 *count = bpf_map_lookup_elem(&pid, &pid); // here
    return count ? *count : 0;
}
