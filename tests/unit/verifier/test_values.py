import pytest

from ebpftop.verifier.values import describe, value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7", "the number 7"),
        ("invP-1", "the number -1"),
        ("0x3d08f", "the number 249999"),
        ("scalar()", "any number"),
        ("inv(id=0)", "any number"),
        ("scalar(smin=smin32=0,smax=umax=smax32=umax32=7,var_off=(0x0; 0x7))", "a number from 0 to 7"),
        ("inv(id=0,umax_value=7,var_off=(0x0; 0x7))", "a number from 0 to 7"),
        ("scalar(id=1,smax=63)", "a number of at most 63, maybe negative"),
        ("scalar(umin=1)", "a number from 1, without an upper bound"),
        ("scalar(smin=-4,smax=4)", "a number from -4 to 4"),
        ("ctx()", "the program's context"),
        ("ctx(id=0,off=0,imm=0)", "the program's context"),
        ("fp0", "the frame pointer"),
        ("fp-16", "the stack, 16 bytes below the frame pointer"),
        ("fp[0]-8", "the stack, 8 bytes below the frame pointer"),
        ("map_ptr(map=counts,ks=4,vs=8)", "the map counts"),
        ("map_ptr(id=0,off=0,ks=4,vs=8,imm=0)", "a map"),
        ("map_value_or_null(id=1,map=counts,ks=4,vs=8)", "a value of 8 bytes in the map counts or NULL"),
        ("map_value(off=8,ks=4,vs=16)", "a value of 16 bytes in a map at offset 8"),
        (
            "map_value(map=values,ks=4,vs=16,smin=smin32=0,smax=umax=smax32=umax32=28,var_off=(0x0; 0x1c))",
            "a value of 16 bytes in the map values at an offset from 0 to 28",
        ),
        ("ringbuf_mem_or_null(id=2,ref_obj_id=2,sz=8)", "a ring buffer record of 8 bytes or NULL"),
        ("mem(id=0,ref_obj_id=2,off=0,imm=0)", "memory"),
        ("pkt(id=0,off=14,r=34,imm=0)", "packet data at offset 14"),
        ("trusted_ptr_task_struct(off=0,imm=0)", "a pointer to struct task_struct (trusted)"),
        ("rcu_ptr_or_null_css_set(id=1)", "a pointer to struct css_set (rcu) or NULL"),
        ("mmmm????", "mmmm????"),
        ("something_new(x=1)", "something_new(x=1)"),
        ("", ""),
    ],
)
def test_a_value_in_words(text: str, words: str) -> None:
    assert describe(text) == words


@pytest.mark.parametrize(
    ("text", "bounded"),
    [("7", True), ("scalar()", False), ("scalar(umax=7)", True), ("scalar(smax=63)", False), ("scalar(umin=1)", False)],
)
def test_whether_a_number_is_bounded(text: str, bounded: bool) -> None:
    assert value(text).bounded is bounded


@pytest.mark.parametrize("text", ["(" * 5000, "a" * 5000 + "1" * 5000 + "(", "R0=R0=", "scalar(umax=)", "inv(=,=,)"])
def test_any_text_is_read(text: str) -> None:
    assert describe(text)
