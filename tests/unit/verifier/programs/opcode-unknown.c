int f(void *ctx) {
    asm volatile(".8byte 0xff");
    return 0;
}
