int f(void *ctx) {
    char comm[16], wanted[16] = "bash";
    bpf_get_current_comm(comm, sizeof(comm));
    return bpf_strncmp(comm, sizeof(comm), wanted); // here
}
