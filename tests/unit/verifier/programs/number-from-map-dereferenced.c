BPF_ARRAY(pointers, u64, 1);
int f(void *ctx) {
    u32 zero = 0;
    u64 *pointer = pointers.lookup(&zero);
    if (!pointer)
        return 0;
    u64 address = *pointer;
    asm volatile("%0 = *(u64 *)(%0 + 16)" : "+r"(address)); // here
    return address;
}
