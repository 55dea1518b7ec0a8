int f(struct xdp_md *ctx) {
    u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 14 > end)
        return 2;
    bpf_xdp_adjust_head(ctx, 4);
    return data[0]; // here
}
