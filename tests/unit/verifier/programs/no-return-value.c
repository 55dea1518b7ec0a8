int f(void *ctx) {
    asm volatile("if r1 != 0 goto +1");
    return 0; // here
}
