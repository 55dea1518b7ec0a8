static int (*no_such_helper)(void) = (void *)4242;
int f(void *ctx) {
    return no_such_helper(); // here
}
