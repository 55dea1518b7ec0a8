int f(void *ctx) {
    char comm[8];
    bpf_get_current_comm(comm, 16); // here
    return comm[0];
}
