int f(void *ctx) {
    u64 r = 1;
    asm volatile("%0 <<= 64" : "+r"(r)); // here
    return r;
}
