struct ethernet { u8 to[6], from[6]; u16 protocol; };
int f(struct xdp_md *ctx) {
    struct ethernet *ethernet = (void *)(long)ctx->data;
    return ethernet->protocol == 8 ? 2 : 1; // here
}
