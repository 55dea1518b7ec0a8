BPF_ARRAY(scratch, u64, 8);
int f(u64 *ctx) {
    u32 zero = 0;
    u64 *buffer = scratch.lookup(&zero);
    u64 n = bpf_ktime_get_ns();
    if (!buffer || n < 4)
        return 0;
    asm volatile("" : "+r"(n));
    bpf_probe_read_kernel(buffer, n & 0x7fffffff, ctx); // here
    return 0;
}
