struct totals { u64 calls, bytes; };
BPF_HASH(counts, u32, struct totals);
SUBPROGRAM void add(struct totals *totals, u64 bytes) {
    totals->bytes += bytes; // here
}
int f(void *ctx) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    struct totals *totals = counts.lookup(&pid);
    add(totals, 100);
    return 0;
}
