int f(void *ctx) {
    char text[16] = {};
    u64 at = bpf_ktime_get_ns();
    asm volatile("" : : "r"(text) : "memory");
    return text[at]; // here
}
