int f(void *ctx) {
    asm volatile("r10 += 8"); // here
    return 0;
}
