int f(void *ctx) {
    return *(u32 *)(ctx + 1); // here
}
