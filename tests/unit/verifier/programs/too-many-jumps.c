#define T(n) if (r & (1ULL << (n & 31))) asm volatile("%0 += 1" : "+r"(sum)); r = bpf_get_prandom_u32();
#define E(n) T(n) T(n + 1) T(n + 2) T(n + 3) T(n + 4) T(n + 5) T(n + 6) T(n + 7)
#define H(n) E(n) E(n) E(n) E(n) E(n) E(n) E(n) E(n)
#define K(n) H(n) H(n) H(n) H(n) H(n) H(n) H(n) H(n)
int f(void *ctx) {
    u64 sum = 0, r = bpf_get_prandom_u32();
    K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) K(0) // here
    return sum;
}
