BPF_ARRAY(counts, u64, 1);
int f(void *ctx) {
    u64 map = bpf_pseudo_fd(1, -1);
    asm volatile("%0 += 8" : "+r"(map)); // here
    return map;
}
