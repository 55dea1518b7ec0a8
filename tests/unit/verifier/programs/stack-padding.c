struct key { u32 pid; u64 address; };
BPF_HASH(counts, struct key, u64);
int f(void *ctx) {
    struct key key;
    key.pid = bpf_get_current_pid_tgid();
    key.address = bpf_ktime_get_ns();
    u64 *count = counts.lookup(&key); // here
    return count ? *count : 0;
}
