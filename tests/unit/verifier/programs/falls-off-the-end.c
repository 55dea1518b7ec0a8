int f(void *ctx) {
    asm volatile("r0 = 7");
    __builtin_unreachable();
}
