int f(void *ctx) {
    asm volatile("if r1 == 0 goto +1\n\tr0 = 0x1122334455667788 ll"); // here
    return 0;
}
