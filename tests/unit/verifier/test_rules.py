"""Every message of the verifier: messages.tsv holds kind, kernels and format of each.

They are from the sources of Linux 5.15, 6.1, 6.5, 6.8, 6.12, 6.17, 7.0 and 7.2: all that reject a program or its type
information, and a selection of those about internal errors. If the kernel assembles a message, or a name in it decides,
each form has a line.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from ebpftop.verifier.rules import RULES, recognise
from ebpftop.verifier.rules.model import NOTHING, Held, Kind, Rule, compiled

KINDS = get_args(Kind)
CONVERSION = re.compile(r"%[-+#0 ]*\d*(?:ll|l|z)?[a-zA-Z]")
# A number that isn't constant is written as its known bits.
BITS = re.compile(r"(?<=var_off=)%s|(?<=var_off )%s|(?<=access off )%s|(?<=packet access off %d\+)%s")


@dataclass(frozen=True)
class Message:
    kind: str
    kernels: str
    format: str

    def filled(self, number: str = "7", name: str = "name") -> str:
        def value(match: re.Match[str]) -> str:
            return name if match[0].endswith("s") else number

        return CONVERSION.sub(value, BITS.sub("(0x0; 0x38)", self.format).replace("R%d", "R2"))


def _messages() -> list[Message]:
    rows = (Path(__file__).parent / "messages.tsv").read_text().splitlines()
    return [Message(*row.split("\t")) for row in rows]


MESSAGES = _messages()

# What needs the instruction: (message, instruction) and the kind.
AT = {
    ("R0 !read_ok", "2: (95) exit"): "bad_return",
    ("R0 !read_ok", "2: (bf) r1 = r0"): "uninitialised_reg",
    ("invalid bpf_context access off=0 size=8", "1: (7b) *(u64 *)(r1 +0) = r2"): "ctx_access",
    ("kernel subsystem misconfigured verifier", "3: (85) call bpf_tail_call#12"): "map_type",
    ("kernel subsystem misconfigured verifier", "3: (85) call bpf_map_lookup_elem#1"): "other",
    ("R1 is not a scalar", "5: (85) call bpf_set_retval#187"): "helper_arg_type",
    ("R1 is not a scalar", "5: (85) call pc+7"): "global_func",
    ("invalid read from stack R6 off=8 size=4", "9: (61) r1 = *(u32 *)(r6 +40)"): "oob_stack",
    ("R1 is not a scalar", "5: (85) call bpf_iter_num_new#71321"): "kfunc_arg",
    (
        "arg#1 reference type('STRUCT s') size cannot be determined: -22",
        "5: (85) call bpf_dynptr_slice#71",
    ): "kfunc_arg",
    ("arg#1 reference type('STRUCT s') size cannot be determined: -22", "5: (85) call pc+7"): "global_func",
}


# What loaders write into a log, and what those sources don't have: older wordings, lines that belong together.
OTHERS = {
    "invalid func unknown#195896080": "btf",
    "<invalid CO-RE relocation>": "btf",
    "failed to resolve CO-RE relocation <byte_off> [29] struct task_struct.nope (0:3 @ offset 0)": "btf",
    "kfunc 'bpf_nope' is referenced but wasn't resolved": "unknown_func",
    "invalid func unknown#2002000007": "unknown_func",
    "<invalid kfunc call>": "unknown_func",
    "BPF map 'counts' is referenced but wasn't created": "bad_map_fd",
    "invalid func unknown#2001000003": "bad_map_fd",
    "<invalid BPF map reference>": "bad_map_fd",
    "R1 invalid mem access 'rcu_ptr_or_null_cred'": "null_deref",
    "R1 type=rcu_ptr_or_null_cred expected=ptr_, trusted_ptr_": "null_deref",
    "cannot access ptr member ops with moff 0 in struct bpf_map with off 0 size 4": "invalid_mem_access",
    "access beyond struct bpf_array at off 512 size 8": "invalid_mem_access",
    "only read from bpf_array is supported": "invalid_mem_access",
    "invalid access to packet, off=20 size=2, R4(id=0,off=20,r=20)": "oob_packet",
    "invalid access to map value, value_size=16 off=0 size=24": "oob_map_value",
    "invalid access to map value, value_size=16 off=-4 size=4": "oob_map_value",
    "invalid read from stack R10 off=8 size=8": "oob_stack",
    "invalid bpf_context access off=36 size=8": "ctx_access",
    "jump out of range from insn 3 to 4": "bad_instruction",
    "BPF program is too large. Processed 131073 insn": "insn_limit",
    "invalid access to packet, off=0 size=1, R4(id=0,off=0,r=0)": "oob_packet",
    "invalid write to stack R10 off=-520 size=8": "oob_stack",
    "BPF program is too large. Processed 1000001 insn": "insn_limit",
    "At program exit the register R0 has value (0x5; 0x0) should have been 0 or 1": "bad_return",
    "At program exit the register R0 has value (0x1; 0x0) should have been 0": "bad_return",
    "addition of negative constant to packet pointer is not allowed": "pointer_arith",
    "cannot add integer value with 16 upper zero bits to ptr_to_packet": "pointer_arith",
    "Unknown alignment. Only byte-sized access allowed in packet access.": "misaligned",
    "BPF_XADD stores into R1 ctx is not allowed": "ctx_access",
    "BPF_XADD stores into R2 packet is not allowed": "invalid_mem_access",
    "cannot write into socket": "invalid_mem_access",
    "invalid access to map value, value_size=16 off=0 size=0": "oob_map_value",
    "R1 type=ctx expected=map_ptr": "helper_arg_type",
    "R1 type=imm expected=map_ptr": "helper_arg_type",
    "corrupted spill memory": "invalid_mem_access",
    "invalid stack type R3 off=-24 access_size=32": "oob_stack",
    "variable stack read R2 var_off=(0xffffffffffffffe0; 0x1c)": "unbounded_access",
    "variable stack access var_off=(0xffffffffffffffe0; 0x1c) off=-32 size=4": "unbounded_access",
    "cannot call GPL only function from proprietary program": "privilege",
    "function calls to other bpf functions are allowed for root only": "privilege",
    "tail_calls are not allowed in programs with bpf-to-bpf calls": "unsupported",
    "BPF_LD_[ABS|IND] instructions cannot be mixed with bpf-to-bpf calls": "unsupported",
    "cannot pass in iter at an offset=-32; expected uninitialized iter_num as arg #1": "iterator",
}

# What needs to know of the register: (message, what is known) and the kind.
_UNBOUNDED = "R1 unbounded memory access, make sure to bounds check any such access"
_RECORD = "ringbuf_mem(ref_obj_id=2,sz=8)"
HELD = {
    ("R6 invalid mem access 'scalar'", Held(now="0")): "null_deref",
    ("R6 invalid mem access 'inv'", Held(now="inv0")): "null_deref",
    ("R6 invalid mem access 'scalar'", Held(now="1")): "invalid_mem_access",
    ("R6 invalid mem access 'scalar'", Held(now="scalar()")): "invalid_mem_access",
    ("R6 invalid mem access 'scalar'", Held(was=_RECORD, taker="bpf_ringbuf_submit")): "invalid_mem_access",
    ("R6 invalid mem access 'scalar'", Held(was="pkt(r=14)", taker="bpf_xdp_adjust_head")): "invalid_mem_access",
    ("R1 type=scalar expected=ringbuf_mem", Held(was=_RECORD, taker="bpf_ringbuf_submit")): "helper_arg_type",
    ("R2 type=scalar expected=fp, pkt", Held(was="pkt(r=14)", taker="bpf_skb_pull_data")): "helper_arg_type",
    ("R9 invalid mem access 'map_value_or_null'", Held(checked="R0")): "null_deref",
    ("R2 type=map_value_or_null expected=fp", Held(checked="R6")): "null_deref",
    (_UNBOUNDED, Held(now="map_value(ks=4,vs=8,smin=-7,smax=0)")): "unbounded_access",
    (_UNBOUNDED, Held(now="map_value(ks=4,vs=8,smax=umax=0x7fffffff)")): "unbounded_access",
    (_UNBOUNDED, Held(now="map_value(ks=4,vs=8,smin=-9,smax=-1)")): "unbounded_access",
    (_UNBOUNDED, Held(now="map_value(ks=4,vs=8,smax=umax=0xffffffff)")): "unbounded_access",
    ("bpf_rcu_read_unlock is missing", Held(called=True)): "lock",
    ("R2 invalid mem access 'inv'", Held(moved=True)): "ctx_access",
}


def winners(error: str, insn_text: str = "", held: Held = NOTHING) -> list[Rule]:
    return [rule for rule in RULES if rule.match(error, insn_text, held)]


@pytest.mark.parametrize("number", ["7", "0", "2147483647"])
@pytest.mark.parametrize("name", ["name", "bpf_get_stackid", "task_struct"])
def test_every_message_is_recognised_as_its_kind(number: str, name: str) -> None:
    wrong = []
    for message in MESSAGES:
        said = recognise(message.filled(number, name))
        if said is None or said.kind != message.kind:
            wrong.append((message.filled(number, name), message.kind, said and said.kind))
    assert wrong == []


def test_the_table_is_of_all_kinds_and_kernels() -> None:
    counted = Counter(message.kind for message in MESSAGES)
    assert set(counted) == set(KINDS)
    assert len(MESSAGES) > 900
    assert len({message.format for message in MESSAGES}) == len(MESSAGES)
    kernels = {kernel for message in MESSAGES for kernel in message.kernels.split("-")}
    assert kernels == {"5.15", "6.1", "6.5", "6.8", "6.12", "6.17", "7.0", "7.2"}


@pytest.mark.parametrize("at", AT, ids=lambda at: f"{at[0]} at {at[1]}")
def test_the_instruction_decides_where_the_message_does_not(at: tuple[str, str]) -> None:
    said = recognise(*at)
    assert said
    assert said.kind == AT[at]


@pytest.mark.parametrize("error", OTHERS)
def test_what_is_not_the_verifiers_of_today_is_recognised_too(error: str) -> None:
    said = recognise(error)
    assert said
    assert said.kind == OTHERS[error]


@pytest.mark.parametrize("known", HELD, ids=lambda known: f"{known[0]} of {known[1].now or known[1].was}")
def test_what_a_register_holds_decides_where_the_message_does_not(known: tuple[str, Held]) -> None:
    error, held = known
    said = recognise(error, held=held)
    assert said
    assert said.kind == HELD[known]
    if held.was and held.taker:
        assert said.explanation.startswith(f"`{held.taker}` ")
        assert "probe_read" not in said.explanation + (said.fix or "")


def test_a_call_without_a_name_took_it_all_the_same() -> None:
    said = recognise("R6 invalid mem access 'scalar'", held=Held(was="sock(ref_obj_id=2)"))
    assert said
    assert said.explanation.startswith("A call took what this points at, a socket: ")
    assert said.fix is None


def test_an_old_kernel_without_variable_offsets_gets_no_advice_to_bound_them() -> None:
    said = recognise("variable stack access var_off=(0xffffffffffffffe0; 0x1c) off=-32 size=4")
    assert said
    assert "a bound on the index doesn't help" in said.explanation
    assert said.fault == "kernel"


def test_a_write_to_the_context_is_told_from_a_read() -> None:
    error = "invalid bpf_context access off=0 size=8"
    write, read = recognise(error, "1: (7b) *(u64 *)(r1 +0) = r2"), recognise(error, "1: (79) r2 = *(u64 *)(r1 +0)")
    assert write
    assert "writes 8 bytes" in write.explanation
    assert read
    assert "no field of 8 bytes" in read.explanation


@pytest.mark.parametrize(
    ("access", "kind"),
    [
        ("off=-16 size=16", "uninitialised_stack"),
        ("off=-512 size=8", "uninitialised_stack"),
        ("off=-16 size=17", "oob_stack"),
        ("off=-520 size=8", "oob_stack"),
        ("off=0 size=8", "oob_stack"),
        ("off=8 size=8", "oob_stack"),
    ],
)
def test_within_the_stack_only_what_was_never_written_is_refused(access: str, kind: str) -> None:
    for wording in ("invalid read from stack R10", "invalid indirect access to stack R1", "invalid read from stack"):
        said = recognise(f"{wording} {access}")
        assert said
        assert said.kind == kind
    written = recognise(f"invalid write to stack R10 {access}")
    assert written
    assert written.kind == "oob_stack"


def test_every_pattern_is_the_one_used_for_some_message() -> None:
    used = set()
    plain = [(error, "", NOTHING) for error in [*(message.filled() for message in MESSAGES), *OTHERS]]
    known = [(error, "", held) for error, held in HELD]
    for error, insn_text, held in plain + [(*at, NOTHING) for at in AT] + known:
        first = winners(error, insn_text, held)[0]
        used.add(next(pattern for pattern in first.patterns if compiled(pattern).match(error)))
    idle = {pattern for rule in RULES for pattern in rule.patterns if pattern not in used}
    assert idle == set()


# Messages that rules of two kinds match: the first of a pair is what they are.
PRECEDENCE = {
    ("null_deref", "invalid_mem_access"): "R0 invalid mem access 'map_value_or_null'",
    ("null_deref", "pointer_arith"): "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first",
    ("null_deref", "helper_arg_type"): "R2 type=map_value_or_null expected=fp, pkt, pkt_meta, map_key, map_value",
    ("ctx_access", "pointer_arith"): "dereference of modified ctx ptr R1 off=8 disallowed",
    ("ctx_access", "invalid_mem_access"): "BPF_ST stores into R1 ctx is not allowed",
    ("uninitialised_stack", "oob_stack"): "invalid read from stack R10 off=-16 size=8",
    ("lock", "kptr"): "bpf_spin_lock cannot be accessed directly by load/store",
}


@pytest.mark.parametrize("pair", PRECEDENCE, ids=" before ".join)
def test_the_special_goes_before_the_general(pair: tuple[str, str]) -> None:
    kinds = [rule.kind for rule in winners(PRECEDENCE[pair])]
    assert kinds[0] == pair[0]
    assert pair[1] in kinds
    said = recognise(PRECEDENCE[pair])
    assert said
    assert said.kind == pair[0]


def test_no_other_kinds_overlap() -> None:
    pairs = set()
    for message in MESSAGES:
        kinds = [rule.kind for rule in winners(message.filled())]
        pairs |= {(kinds[0], other) for other in kinds[1:] if other != kinds[0]}
    assert pairs == set(PRECEDENCE)


def test_every_text_is_filled_in_and_whole() -> None:
    insns = ["", "5: (85) call bpf_probe_read_kernel#113"]
    for error in [*(message.filled() for message in MESSAGES), *OTHERS]:
        for insn_text in insns:
            said = recognise(error, insn_text)
            assert said
            text = said.explanation
            assert text[0].isupper() or text[0] == "`", text
            assert text.endswith((".", ".)")), text
            assert text.count(". ") >= 1, f"what, and what instead: {text}"
            assert len(text) <= 420, text
            for left in ("$", "``", "None", "  ", "Argument  ", "''"):
                assert left not in text, text
            if said.fix is not None:
                assert "$" not in said.fix
                assert "None" not in said.fix
                assert said.fix.count("(") == said.fix.count(")")
                assert said.fix.count("{") == said.fix.count("}")


def test_templates_name_only_what_is_caught() -> None:
    given = {"pointer", "name", "index", "size", "call", "nth", "taker", "was", "read", "kfunc", "checked", "now"}
    for rule in RULES:
        assert rule.kind in KINDS
        for pattern in rule.patterns:
            caught = set(compiled(pattern).groupindex) | given
            caught |= {"need"} if {"off", "width"} <= caught else set()
            assert set(rule.explanation.get_identifiers()) <= caught, pattern
            assert set(rule.fix.get_identifiers() if rule.fix else []) <= caught, pattern


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("At program exit the register R0 has smin=7 smax=7 should have been in [1, 1]", "return 1;"),
        ("At program exit the register R0 has smin=7 smax=7 should have been in [0, 1]", "return 0;"),
        ("At program exit the register R0 has smin=7 should have been in [-4095, 0]", "return 0;"),
        ("At program exit the register R0 has value (0x7; 0x0) should have been in (0x1; 0x0)", "return 0x1;"),
        ("expected uninitialized iter_num as arg #1", "bpf_iter_num_destroy(&it);"),
    ],
)
def test_the_fix_has_what_the_message_says(error: str, words: str) -> None:
    said = recognise(error)
    assert said
    assert said.fix == words


@pytest.mark.parametrize(
    "error",
    [
        "",
        "R0",
        "$pointer ${name} $",
        "R7 is fine",
        "processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
        "func#0 @0",
        "0: R1=ctx() R10=fp0",
        "5: (85) call bpf_map_lookup_elem#1",
        "mark_precise: frame0: last_idx 3 first_idx 0 subseq_idx -1",
        "marking pointer arg0 as scalar as it may encode error",
        "Func#1 ('step') is global and assumed valid.",
        "Validating step() func#1...",
        "func 'f' arg0 has btf_id 1 type STRUCT 'task_struct'",
        "Cannot find btf of tracepoint template, fall back to __bpf_trace_x.",
        "frame0 bpf_loop iteration limit reached",
        "propagate_backedges: too many iterations",
    ],
)
def test_what_is_no_complaint_is_not_recognised(error: str) -> None:
    assert recognise(error) is None


def test_text_from_the_kernel_stays_text() -> None:
    said = recognise("func '$name {x}' doesn't have 7-th argument")
    assert said
    assert "`$name {x}`" in said.explanation


def test_any_text_is_taken() -> None:
    chance = random.Random(1)
    letters = "R0123456789 '()[]{}$%*.,:;#=+-_|abcxyz\x00\x1b\ud800é\n"
    for _ in range(3000):
        text = list(chance.choice(MESSAGES).filled())
        for _ in range(chance.randrange(6)):
            at = chance.randrange(len(text) + 1)
            text[at : at + chance.randrange(4)] = chance.choices(letters, k=chance.randrange(5))
            if chance.random() < 0.2:
                text *= 2
        line = "".join(text)
        said = recognise(line, chance.choice(MESSAGES).filled(), line[::-1])
        assert said is None or said.kind in KINDS


@pytest.mark.parametrize("message", MESSAGES[::29], ids=lambda message: message.format[:40])
def test_a_message_without_end_is_read_to_the_kernels_limit(message: Message) -> None:
    """The kernel itself cuts messages off; what comes behind makes no difference and takes no time."""
    error = message.filled().ljust(1024)
    assert recognise(error + error * 20_000) == recognise(error + "x")
