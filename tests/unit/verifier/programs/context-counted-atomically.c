int f(u64 *ctx) {
    asm volatile("lock *(u64 *)(%0 + 0) += %0" : : "r"(ctx)); // here
    return 0;
}
