int f(u64 *ctx) {
    return 0;
}
