BPF_PERF_OUTPUT(events);
struct event { u32 length; char name[16]; };
int f(struct __sk_buff *skb) {
    struct event event;
    event.length = skb->len;
    event.name[0] = 'a';
    events.perf_submit(skb, &event, sizeof(event)); // here
    return 0;
}
