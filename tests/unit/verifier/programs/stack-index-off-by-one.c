int f(void *ctx) {
    char text[8] = {};
    u64 at = bpf_get_prandom_u32() & 15;
    asm volatile("" : : "r"(text) : "memory");
    text[at] = 1; // here
    asm volatile("" : : "r"(text) : "memory");
    return 0;
}
