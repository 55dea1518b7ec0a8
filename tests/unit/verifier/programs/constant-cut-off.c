int f(void *ctx) {
    asm volatile(".8byte 0x0000000100000018\n\tr0 = 0");
    return 0;
}
