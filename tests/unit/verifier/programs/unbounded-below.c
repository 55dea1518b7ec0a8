struct names { char text[64]; };
BPF_ARRAY(all, struct names, 1);
int f(void *ctx) {
    u32 zero = 0;
    struct names *names = all.lookup(&zero);
    s64 at = bpf_get_prandom_u32();
    at -= 10;
    if (!names || at > 60)
        return 0;
    asm volatile("" : "+r"(at));
    return *(names->text + at); // here
}
