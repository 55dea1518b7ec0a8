int f(u64 *ctx) {
    ctx[0] = 1; // here
    return 0;
}
