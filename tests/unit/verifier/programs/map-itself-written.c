BPF_ARRAY(counts, u64, 1);
int f(void *ctx) {
    u64 *count = (u64 *)bpf_pseudo_fd(1, -1);
    asm volatile("*(u64 *)(%0 + 0) = %0" : : "r"(count)); // here
    return 0;
}
