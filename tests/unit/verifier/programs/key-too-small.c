BPF_HASH(counts, u64, u64);
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    bpf_map_delete_elem((void *)bpf_pseudo_fd(1, -1), &pid); // here
    return 0;
}
