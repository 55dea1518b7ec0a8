SUBPROGRAM int inner(u64 seed) {
    char text[300];
    asm volatile("*(u64 *)(%0 + 0) = %1" : : "r"(text), "r"(seed) : "memory");
    return text[0];
}
int f(void *ctx) {
    char text[300];
    asm volatile("*(u64 *)(%0 + 0) = %1" : : "r"(text), "r"(bpf_ktime_get_ns()) : "memory");
    return inner(7) + text[0];
}
