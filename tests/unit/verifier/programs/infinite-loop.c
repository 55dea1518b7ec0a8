int f(void *ctx) {
    while (1) // here
        ;
    return 0;
}
