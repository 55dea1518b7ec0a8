int f(u64 *ctx) {
    return ctx[21]; // here
}
