BPF_PERF_OUTPUT(events);
int f(void *ctx) {
    u32 zero = 0;
    return bpf_map_lookup_elem((void *)bpf_pseudo_fd(1, -1), &zero) != 0; // here
}
