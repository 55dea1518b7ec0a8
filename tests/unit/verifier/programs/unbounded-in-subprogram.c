struct slots { u64 slot[32]; };
BPF_ARRAY(histogram, struct slots, 1);
SUBPROGRAM void add(struct slots *slots, u64 slot) {
    slots->slot[slot]++; // here
}
int f(void *ctx) {
    u32 zero = 0;
    struct slots *slots = histogram.lookup(&zero);
    if (slots)
        add(slots, bpf_ktime_get_ns() >> 20);
    return 0;
}
