struct value { u64 a, b; };
SUBPROGRAM struct value *get(struct value *value) {
    asm volatile("" : "+r"(value));
    return value;
}
int f(void *ctx) {
    struct value value = {1, 2};
    return get(&value) != 0; // here
}
