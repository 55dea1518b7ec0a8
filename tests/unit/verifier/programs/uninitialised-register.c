int f(void *ctx) {
    asm volatile("r0 = r7"); // here
    return 0;
}
