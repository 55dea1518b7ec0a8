struct value { u64 a, b; };
SUBPROGRAM int get(struct value *value) {
    asm volatile("" : "+r"(value));
    return value->b;
}
int f(void *ctx) {
    struct value value = {1, 2};
    return get(&value);
}
