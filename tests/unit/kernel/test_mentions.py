"""What a source names, by its tokens."""

from __future__ import annotations

from ebpftop.kernel import mentions

TEXT = r"""
#include <linux/sched.h>
#include <uapi/linux/ptrace.h>
#include "ebpftop.h"
#include </etc/passwd>
#include <linux/../../etc/passwd>
#define LIMIT 7
enum { STARTED, ENDED };
// struct commented, COMMENTED
/* struct blocked
   BLOCKED */
struct event { u32 pid; char comm[TASK_COMM_LEN]; };
BPF_HASH(counts, struct key_of_kernel, u64, 1024);
static kuid_t owner_of(const struct cred *cred) { return cred->uid; }
int run(struct bpf_raw_tracepoint_args *ctx) {
    struct event one = {}; u64 zero = 0, *v = 0; enum pid_type kind = PIDTYPE_TGID;
    fmode_t mode = (fmode_t)ctx->args[0];
    bpf_trace_printk("struct quoted %d QUOTED", STARTED + ENDED + LIMIT, sizeof(blk_opf_t));
    if (PARAM_pid && VARIANT_raw && mode != FMODE_READ(1)) return one.SHOUTED;
#if defined(HAS_request__q) && !defined(HAS_task_struct____state)
#endif
    counts.increment(one);
    return TCP_CA_Open;
}
"""


def test_tags_without_the_sources_own_and_without_comments_and_strings() -> None:
    names = mentions.names(TEXT)
    assert names.tags == [
        "struct key_of_kernel",
        "struct cred",
        "struct bpf_raw_tracepoint_args",
        "enum pid_type",
    ]
    assert names.defined == {"event"}


def test_typedefs_are_words_in_the_place_of_a_type() -> None:
    assert {"kuid_t", "fmode_t", "blk_opf_t"} <= set(mentions.names(TEXT).typedefs)
    assert not {"u64", "one", "mode", "counts", "cred", "v", "zero"} & set(mentions.names(TEXT).typedefs)


def test_constants_without_macros_parameters_and_the_sources_own() -> None:
    assert mentions.names(TEXT).constants == ["TASK_COMM_LEN", "PIDTYPE_TGID", "TCP_CA_Open"]


def test_members_asked_after() -> None:
    assert mentions.names(TEXT).has == ["HAS_request__q", "HAS_task_struct____state"]


def test_only_harmless_headers_are_named() -> None:
    assert mentions.names(TEXT).includes == ["linux/sched.h", "uapi/linux/ptrace.h"]


def test_the_records_of_tracepoints() -> None:
    text = "int f(struct tracepoint__sched__sched_switch *a) {}\nTRACEPOINT_PROBE(irq, softirq_entry) {}\ntracepoint__a"
    assert list(mentions.tracepoints(text)) == [("sched", "sched_switch"), ("irq", "softirq_entry")]
    assert set(mentions.tracepoints("tracepoint__a__b__c")) == {("a", "b__c"), ("a__b", "c")}
    assert list(mentions.tracepoints("struct tracepoint__../../x__y")) == []
