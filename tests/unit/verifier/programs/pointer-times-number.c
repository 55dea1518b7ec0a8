int f(u64 *ctx) {
    asm volatile("%0 *= 8" : "+r"(ctx)); // here
    return *ctx;
}
