int f(void *ctx) {
    return 7; // here
}
