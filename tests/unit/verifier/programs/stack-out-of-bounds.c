int f(void *ctx) {
    asm volatile("*(u64 *)(r10 - 520) = %0" :: "r"(0ULL)); // here
    return 0;
}
