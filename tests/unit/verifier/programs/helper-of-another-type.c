int f(void *ctx) {
    return bpf_skb_load_bytes(ctx, 0, (void *)0, 0); // here
}
