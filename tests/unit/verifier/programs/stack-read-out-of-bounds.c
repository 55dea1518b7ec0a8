int f(void *ctx) {
    u64 got;
    asm volatile("%0 = *(u64 *)(r10 + 8)" : "=r"(got)); // here
    return got;
}
