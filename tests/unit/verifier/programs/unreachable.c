int f(void *ctx) {
    asm volatile("goto +1\n\tr0 = 7\n\tr0 = 8"); // here
    return 0;
}
