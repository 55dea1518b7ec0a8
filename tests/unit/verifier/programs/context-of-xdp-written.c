int f(struct xdp_md *ctx) {
    ctx->data_end = 0; // here
    return 2;
}
