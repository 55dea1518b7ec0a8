struct value { u64 a, b; };
SUBPROGRAM int get(struct value *value) {
    if (!value)
        return 0;
    return value->b;
}
int f(void *ctx) {
    return get((void *)bpf_get_current_task()); // here
}
