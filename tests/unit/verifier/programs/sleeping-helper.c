int f(u64 *ctx) {
    u64 value;
    return bpf_copy_from_user(&value, sizeof(value), (void *)ctx[0]); // here
}
