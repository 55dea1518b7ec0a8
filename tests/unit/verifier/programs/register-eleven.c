int f(void *ctx) {
    asm volatile(".8byte 0x0000000000000bb7"); // here
    return 0;
}
