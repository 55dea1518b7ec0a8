import pytest

from ebpftop.verifier.registers import is_state, known_after, known_before, last_known, read

LOG = [
    "0: R1=ctx() R10=fp0",
    "0: (b7) r6 = 1                        ; R6_w=1",
    "1: (63) *(u32 *)(r10 -4) = r6         ; R6_w=1 R10=fp0 fp-8=mmmm????",
    "2: (85) call bpf_map_lookup_elem#1    ; R0_w=scalar(smax=1,var_off=(0x0; 0xff))",
    "3: (79) r1 = *(u64 *)(r0 +0)",
    "from 1 to 4: R1=9 R10=fp0",
    "4: (95) exit",
]
KNOWN = [
    (1, {"R1": "ctx()", "R10": "fp0"}),
    (4, {"R0": "scalar(smax=1,var_off=(0x0; 0xff))", "R6": "1", "R10": "fp0", "fp-8": "mmmm????"}),
    (6, {"R1": "9", "R10": "fp0"}),
]


@pytest.mark.parametrize(("at", "known"), KNOWN)
def test_what_was_known_before_an_instruction(at: int, known: dict[str, str]) -> None:
    assert known_before(LOG, at) == known  # R1 is gone after the call
    assert list(known_before(LOG, at)) == list(known)


@pytest.mark.parametrize(("at", "known"), KNOWN)
def test_one_register_is_known_as_all_are(at: int, known: dict[str, str]) -> None:
    names = ["R0", "R1", "R2", "R6", "R10", "fp-8", "fp-16"]
    assert {name: value for name in names if (value := last_known(LOG, at, name))} == known


def test_what_was_written_since_is_not_known() -> None:
    lines = [" R1=5 R9=inv(id=0,umax_value=7) R10=fp0 fp-8=inv3 fp-16=inv4", "3: (79) r9 = *(u64 *)(r10 -8)",
             "4: (b7) w1 = 5", "5: (7b) *(u64 *)(r10 -16) = r9", "6: (95) exit"]  # fmt: skip
    assert known_before(lines, 4) == {"R10": "fp0", "fp-8": "inv3"}
    assert [last_known(lines, 4, name) for name in ("R1", "R9", "fp-8", "fp-16")] == ["", "", "inv3", ""]


def test_one_state_ends_the_look_back() -> None:
    lines = ["0: R1=ctx() R6=5 R10=fp0", "3: R0=1 R10=fp0", "3: (95) exit"]
    assert known_before(lines, 2) == {"R0": "1", "R10": "fp0"}
    assert last_known(lines, 2, "R6") == ""


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (" R0_w=map_value(id=0,off=0,ks=4,vs=8,imm=0) R10=fp0 fp-8_w=mmmm????", 3),
        ("2: R0_rw=invP(id=0,umax_value=7,var_off=(0x0; 0x7)) R10=fp0 fp-16=????0000", 3),
        ("from 8 to 14: frame1: R6=0 R10=fp0 refs=2", 2),
        ("7: (bf) r2 = r10", 0),
        ("R0 invalid mem access 'scalar'", 0),
        ("R1=(unclosed R2=5 R3=6", 1),
        ("", 0),
    ],
)
def test_a_line_of_states_is_read(line: str, known: int) -> None:
    assert len(read(line)) == known


def test_a_value_keeps_what_is_in_its_parentheses() -> None:
    assert read("3: R0=scalar(umax=7,var_off=(0x0; 0x7)) R1=fp-8") == {
        "R0": "scalar(umax=7,var_off=(0x0; 0x7))",
        "R1": "fp-8",
    }


@pytest.mark.parametrize("line", ["0: R1=ctx() R10=fp0", " frame1: R0=1", "from 1 to 4 (speculative execution): R1=9"])
def test_states(line: str) -> None:
    assert is_state(line)


@pytest.mark.parametrize("line", ["0: (b7) r6 = 1 ; R6_w=1", "R0 !read_ok", "; R0=1", ""])
def test_no_states(line: str) -> None:
    assert not is_state(line)


def test_what_an_instruction_did_stands_behind_it_or_in_the_next_line() -> None:
    assert known_after(LOG, 1) == {"R6": "1"}
    old = ["1: (b7) r6 = 1", "2: R6_w=inv1 R10=fp0", "2: (bf) r2 = r6", "3: R2_w=inv1 R6_w=inv1 R10=fp0"]
    assert known_after(old, 0) == {"R6": "inv1", "R10": "fp0"}
    assert known_after(LOG, 4) == {}  # what follows is another way


def test_a_line_is_gone_through_once() -> None:
    """A hundred thousand states that never close: each search goes on where the last ended."""
    assert len(read("R1=(" * 100_000)) == 1
    assert len(read("R1=1 " * 100_000)) == 1
