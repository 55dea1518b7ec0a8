int f(void *ctx) {
    u32 zero = 0;
    return bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, 4242), &zero) != 0;
}
