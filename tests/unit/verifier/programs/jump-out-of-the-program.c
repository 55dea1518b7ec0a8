int f(void *ctx) {
    asm volatile("goto +100"); // here
    return 0;
}
