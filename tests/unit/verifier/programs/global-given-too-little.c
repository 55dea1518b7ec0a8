struct value { u64 a, b; };
SUBPROGRAM int get(struct value *value) {
    if (!value)
        return 0;
    return value->b;
}
int f(void *ctx) {
    u64 one = 1;
    return get((struct value *)&one); // here
}
