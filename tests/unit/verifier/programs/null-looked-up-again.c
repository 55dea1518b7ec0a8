BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    u64 zero = 0;
    u64 *count = counts.lookup(&pid);
    if (!count) {
        counts.update(&pid, &zero);
        count = counts.lookup(&pid);
    }
    __sync_fetch_and_add(count, 1); // here
    return 0;
}
