int f(u64 *ctx) {
    char text[16];
    bpf_probe_read_kernel((void *)0x1000, sizeof(text), text); // here
    return 0;
}
