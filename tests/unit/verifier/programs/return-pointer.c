int f(u64 *ctx) {
    return (u64)ctx; // here
}
