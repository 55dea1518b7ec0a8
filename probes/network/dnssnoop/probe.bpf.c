#include "ebpftop_sockets.h"

#define DNS_PORT 53
#define UDP_HEADER 8
#define DNS_HEADER 12
#define QUESTION_SIZE 128
#define RESPONSE 0x8000 // in the header's flags; the low four bits are the code

struct question {
    u64 since;
    u32 tgid;
    u32 unused;
    u8 server[ADDRESS_SIZE];
    char comm[COMM_SIZE];
    char text[QUESTION_SIZE]; // as encoded in the message
};
struct id {
    u32 number;
    u32 port; // the query's source port
};
BPF_TABLE("lru_hash", struct id, struct question, questions, 4096); // unanswered ones are evicted

struct event {
    u64 time;
    u64 took;
    u32 tgid;
    s32 error; // -1 for a query
    u32 answers;
    u8 server[ADDRESS_SIZE];
    char comm[COMM_SIZE];
    char what[9];
    char question[QUESTION_SIZE];
};
BPF_RINGBUF_OUTPUT(events, 1024);

static void report(struct question *question, u64 took, s32 error, u32 answers, const char *what)
{
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return;
    }
    event->time = question->since + took;
    event->took = took;
    event->tgid = question->tgid;
    event->error = error;
    event->answers = answers;
    __builtin_memcpy(event->server, question->server, sizeof(event->server));
    __builtin_memcpy(event->comm, question->comm, sizeof(event->comm));
    __builtin_memcpy(event->what, what, sizeof(event->what));
    __builtin_memcpy(event->question, question->text, sizeof(event->question));
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
}

int on_send(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    struct packet packet = {};
    if (!read_packet(skb, ip_header(skb), &packet))
        return 0;
    if (packet.protocol != IPPROTO_UDP || packet.destination_port != DNS_PORT || !wanted_current())
        return 0;
    u16 size = 0, header[2] = {}; // number and flags
    bpf_probe_read_kernel(&size, sizeof(size), packet.inside + 4);
    bpf_probe_read_kernel(header, sizeof(header), packet.inside + UDP_HEADER);
    size = ntohs(size);
    if (ntohs(header[1]) & RESPONSE || size <= UDP_HEADER + DNS_HEADER || size > READ(skb, len))
        return 0;
    struct id id = {.number = header[0], .port = packet.source_port};
    struct question question = {.since = bpf_ktime_get_ns(), .tgid = bpf_get_current_pid_tgid() >> 32};
    __builtin_memcpy(question.server, packet.destination, sizeof(question.server));
    bpf_get_current_comm(question.comm, sizeof(question.comm));
    u32 length = size - UDP_HEADER - DNS_HEADER;
    if (length > QUESTION_SIZE)
        length = QUESTION_SIZE;
    bpf_probe_read_kernel(question.text, length, packet.inside + UDP_HEADER + DNS_HEADER);
    if (questions.update(&id, &question))
        map_full();
#ifndef PARAM_slower
    const char query[9] = "query";
    report(&question, 0, -1, 0, query);
#endif
    return 0;
}

int on_receive(struct bpf_raw_tracepoint_args *ctx)
{
    struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
    struct packet packet = {};
    if (!read_packet(skb, (const u8 *)READ(skb, data), &packet))
        return 0;
    if (packet.protocol != IPPROTO_UDP || packet.source_port != DNS_PORT)
        return 0;
    u16 header[4] = {}; // number, flags, count of questions, count of answers
    bpf_probe_read_kernel(header, sizeof(header), packet.inside + UDP_HEADER);
    u16 flags = ntohs(header[1]);
    struct id id = {.number = header[0], .port = packet.destination_port};
    struct question *question = questions.lookup(&id);
    if (!question || !(flags & RESPONSE))
        return 0;
    u64 took = bpf_ktime_get_ns() - question->since;
    const char answer[9] = "answer";
#ifdef PARAM_slower
    if (took > PARAM_slower)
#endif
        report(question, took, flags & 15, ntohs(header[3]), answer);
    questions.delete(&id);
    return 0;
}
