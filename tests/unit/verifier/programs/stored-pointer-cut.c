int f(u64 *ctx) {
    u64 value;
    asm volatile("*(u64 *)(r10 - 8) = %1\n\tr2 = 0\n\t*(u8 *)(r10 - 8) = r2\n\t%0 = *(u64 *)(r10 - 8)"
                 : "=r"(value)
                 : "r"(ctx));
    asm volatile("%0 = *(u64 *)(%0 + 0)" : "+r"(value)); // here
    return value;
}
