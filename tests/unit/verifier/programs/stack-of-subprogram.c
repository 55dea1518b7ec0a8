SUBPROGRAM int fill(char *text) {
    text[12] = 1; // here
    return 0;
}
int f(void *ctx) {
    char text[8] = {};
    fill(text);
    return text[0];
}
