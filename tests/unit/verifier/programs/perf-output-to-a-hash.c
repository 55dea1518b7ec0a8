BPF_HASH(events, u32, u64);
int f(void *ctx) {
    u64 value = 1;
    return bpf_perf_event_output(ctx, (void *)bpf_pseudo_fd(1, -1), 0, &value, sizeof(value)); // here
}
