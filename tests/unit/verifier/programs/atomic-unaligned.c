struct packed { u32 a; u64 b; } __attribute__((packed));
BPF_ARRAY(values, struct packed, 1);
int f(void *ctx) {
    u32 zero = 0;
    struct packed *value = values.lookup(&zero);
    if (!value)
        return 0;
    asm volatile("lock *(u64 *)(%0 + 4) += %1" : : "r"(value), "r"(1ULL)); // here
    return 0;
}
