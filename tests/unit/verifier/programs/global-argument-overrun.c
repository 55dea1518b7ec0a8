struct value { u64 a, b; };
SUBPROGRAM int get(struct value *value) {
    if (!value)
        return 0;
    return ((u64 *)value)[2];
}
int f(void *ctx) {
    struct value value = {1, 2};
    return get(&value);
}
