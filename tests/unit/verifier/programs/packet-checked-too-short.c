struct ethernet { u8 to[6], from[6]; u16 protocol; };
struct address { u32 from, to; };
int f(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethernet *ethernet = data;
    struct address *address = data + sizeof(*ethernet) + 12;
    if (data + sizeof(*ethernet) + 16 > end)
        return 2;
    return address->to ? 2 : 1; // here
}
