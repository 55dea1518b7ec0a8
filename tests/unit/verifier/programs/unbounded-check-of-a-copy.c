struct names { char text[64]; };
BPF_ARRAY(all, struct names, 1);
int f(void *ctx) {
    u32 zero = 0;
    struct names *names = all.lookup(&zero);
    if (!names)
        return 0;
    u64 at = bpf_ktime_get_ns();
    u32 copy = at;
    asm volatile("" : "+r"(copy));
    if (copy >= sizeof(names->text))
        return 0;
    return names->text[at]; // here
}
