int f(void *ctx) {
    asm volatile(".8byte 0x00000001000000bf"); // here
    return 0;
}
