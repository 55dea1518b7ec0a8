struct slots { u64 slot[32]; };
BPF_ARRAY(histogram, struct slots, 1);
int f(void *ctx) {
    u32 zero = 0;
    struct slots *slots = histogram.lookup(&zero);
    u32 slot = bpf_get_prandom_u32();
    if (!slots || slot > 32)
        return 0;
    slots->slot[slot]++; // here
    return 0;
}
