int f(void *ctx) {
    u64 n = bpf_ktime_get_ns();
    asm volatile("%0 /= 0" : "+r"(n)); // here
    return n;
}
