int f(struct xdp_md *ctx) {
    u64 *end = (void *)(long)ctx->data_end;
    asm volatile("" : "+r"(end));
    return *end; // here
}
