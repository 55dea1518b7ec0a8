int f(struct xdp_md *ctx) {
    u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 14 > end)
        return 2;
    u8 *next = data + (data[0] & 15) * 4;
    return next[4] ? 2 : 1; // here
}
