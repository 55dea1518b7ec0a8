int f(void *ctx) {
    u64 sum = 0;
    for (u64 i = 0; i < 10000000; i++) // here
        asm volatile("%0 += %1" : "+r"(sum) : "r"(i));
    return sum;
}
