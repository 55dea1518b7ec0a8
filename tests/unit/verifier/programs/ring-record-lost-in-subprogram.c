BPF_RINGBUF_OUTPUT(events, 1);
SUBPROGRAM int fill(u64 *record) {
    *record = 7;
    return 1;
}
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(8);
    return record ? fill(record) : 0; // here
}
