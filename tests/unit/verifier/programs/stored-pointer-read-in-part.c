int f(u64 *ctx) {
    u64 value;
    asm volatile("*(u64 *)(r10 - 8) = %1\n\t%0 = *(u32 *)(r10 - 8)" : "=r"(value) : "r"(ctx)); // here
    return value;
}
