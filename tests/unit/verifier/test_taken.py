"""What calls take away from the program."""

import pytest

from ebpftop.verifier.taken import can_be_taken, takes

RECORD = "ringbuf_mem(ref_obj_id=2,sz=8)"
OTHER = "ringbuf_mem(ref_obj_id=3,sz=8)"
TASK = "ptr_task_struct(ref_obj_id=2)"


@pytest.mark.parametrize(
    ("function", "held", "given", "taken"),
    [
        ("bpf_ringbuf_submit", RECORD, RECORD, True),
        ("bpf_ringbuf_discard", RECORD, "", True),
        ("bpf_ringbuf_submit", RECORD, OTHER, False),
        ("bpf_ringbuf_output", RECORD, RECORD, False),
        ("bpf_sk_release", "sock(ref_obj_id=4)", "sock(ref_obj_id=4)", True),
        ("bpf_tcp_sock", "sock(ref_obj_id=4)", "sock(ref_obj_id=4)", False),
        ("bpf_task_release", TASK, TASK, True),
        ("bpf_obj_drop_impl", "ptr_node(ref_obj_id=2)", "", True),
        ("bpf_sk_release", "sock()", "sock()", False),
        ("bpf_xdp_adjust_head", "pkt(r=14)", "ctx()", True),
        ("bpf_skb_store_bytes", "pkt_end()", "ctx()", True),
        ("bpf_skb_load_bytes", "pkt(r=14)", "ctx()", False),
        ("bpf_xdp_adjust_head", RECORD, "ctx()", False),
        ("bpf_ringbuf_submit", "map_value(map=m,ks=4,vs=8)", RECORD, False),
        ("bpf_ringbuf_submit", "", "", False),
    ],
)
def test_which_call_takes_what(function: str, held: str, given: str, taken: bool) -> None:
    assert takes(function, held, given) is taken


@pytest.mark.parametrize(
    ("held", "can"), [(RECORD, True), ("pkt_meta()", True), ("scalar(id=3)", False), ("fp-8", False), ("", False)]
)
def test_what_can_be_taken(held: str, can: bool) -> None:
    assert can_be_taken(held) is can
