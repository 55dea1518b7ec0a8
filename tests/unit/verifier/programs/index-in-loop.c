struct slots { u64 slot[8]; };
BPF_ARRAY(histogram, struct slots, 1);
int f(void *ctx) {
    u32 zero = 0;
    struct slots *slots = histogram.lookup(&zero);
    if (!slots)
        return 0;
    u64 sum = 0;
    for (u32 i = 0; i <= 8; i++) {
        asm volatile("" : "+r"(i));
        sum += slots->slot[i]; // here
    }
    return sum;
}
