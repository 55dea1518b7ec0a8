int f(struct xdp_md *ctx) {
    u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 4 > end)
        return 2;
    return bpf_csum_diff(0, 0, (void *)data, 8, 0) ? 2 : 1; // here
}
