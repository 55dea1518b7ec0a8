int f(void *ctx) {
    asm volatile("r2 = 0\n\t*(u64 *)(r10 - 8) = r2\n\t*(u64 *)(r10 - 16) = r2");
    asm volatile("lock *(u64 *)(r10 - 12) += r2"); // here
    return 0;
}
