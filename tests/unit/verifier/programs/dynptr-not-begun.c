int f(void *ctx) {
    struct bpf_dynptr record = {};
    char text[8];
    return bpf_dynptr_read(text, sizeof(text), &record, 0, 0); // here
}
