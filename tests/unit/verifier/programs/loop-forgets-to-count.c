int f(void *ctx) {
    u64 i = 0;
    while (i < 10) { // here
        asm volatile("" : "+r"(i));
    }
    return i;
}
