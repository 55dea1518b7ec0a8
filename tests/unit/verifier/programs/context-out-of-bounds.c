int f(u64 *ctx) {
    return ctx[400]; // here
}
