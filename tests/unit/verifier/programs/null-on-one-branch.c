BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 *count = counts.lookup(&pid);
    if (pid > 1000) {
        if (!count)
            return 0;
    }
    return *count; // here
}
