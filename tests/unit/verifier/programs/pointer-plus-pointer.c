int f(void *ctx) {
    void *p = ctx;
    asm volatile("%0 += r10" : "+r"(p)); // here
    return (long)p;
}
