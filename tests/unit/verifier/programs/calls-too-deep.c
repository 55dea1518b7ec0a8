#define LEVEL(name, next) SUBPROGRAM int name(int n) { asm volatile("" : "+r"(n)); return next(n) + 1; }
SUBPROGRAM int last(int n) { asm volatile("" : "+r"(n)); return n; }
LEVEL(eight, last)
LEVEL(seven, eight)
LEVEL(six, seven)
LEVEL(five, six) // here
LEVEL(four, five)
LEVEL(three, four)
LEVEL(two, three)
LEVEL(one, two)
int f(void *ctx) {
    return one(bpf_get_prandom_u32());
}
