int f(void *ctx) {
    u64 n = bpf_get_prandom_u32() & 7;
    asm volatile("%0 -= r10" : "+r"(n)); // here
    return n;
}
