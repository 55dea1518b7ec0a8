"""The door for verifier logs, of any loader."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

from ebpftop.base.look import Look
from ebpftop.model import failure_text
from ebpftop.model.failure import of_log
from ebpftop.verifier.failures import failures
from tests.fuzz.engine import Door
from tests.fuzz.words import WORD, lines_of
from tests.support.command import CHECKOUT
from tests.support.frames import LOG

LOOK = Look(100, colour=False)


def explain(data: bytes) -> None:
    for diagnosis in failures(io.BytesIO(data)):
        text = failure_text.as_text(of_log(diagnosis), LOOK, log=True)
        assert all(each.isprintable() for each in text.split("\n")), text


_number = st.integers(0, 1 << 33).map(lambda number: b"%d" % number)
_register = st.integers(0, 12).map(lambda number: b"R%d" % number)
_state = st.sampled_from(
    [
        b"inv(id=0,umax_value=255)",
        b"map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0)",
        b"ctx()",
        b"fp0",
        b"scalar(umin=1",
        b"pkt(r=0)",
        b"=",
        b"",
    ]
)
_instruction = st.tuples(
    _number,
    st.sampled_from(
        [
            b"(85) call bpf_map_lookup_elem#1",
            b"(79) r1 = *(u64 *)(r0 +0)",
            b"(05) goto pc-1",
            b"(07) r1 += 99999999999999999999",
            b"(95) exit",
            b"(zz)",
        ]
    ),
).map(b": ".join)
_complaint = st.sampled_from(
    [
        b"R0 invalid mem access 'map_value_or_null'",
        b"invalid access to map value, value_size=8 off=8 size=8",
        b"BPF program is too large. Processed 1000001 insn",
        b"invalid bpf_context access off=%d size=%d",
        b"back-edge from insn 3 to 1",
        b"unknown func bpf_x#999999999999",
        b"math between pkt pointer and register with unbounded min value is not allowed",
        b"R-1 !read_ok",
        b"R99999999999999999999 !read_ok",
    ]
)
_logs = lines_of(
    _instruction,
    _complaint,
    st.tuples(_number, st.lists(st.tuples(_register, _state).map(b"=".join), max_size=4).map(b" ".join)).map(
        b": ".join
    ),
    st.tuples(
        st.just(b"; "), WORD, st.sampled_from([b" @ main.c:29", b" @ :", b" @ x.c:99999999999999999999", b""])
    ).map(b"".join),
    st.tuples(st.just(b"from "), _number, st.just(b" to "), _number, st.just(b": ")).map(b"".join),
    st.just(b"processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0"),
    st.sampled_from(
        [
            b"libbpf: prog 'x': BPF program load failed: -13",
            b"libbpf: -- BEGIN PROG LOAD LOG --",
            b"-- END PROG LOAD LOG --",
            b"Caused by:",
            b"Error: load program: permission denied:",
            b"verifier error: ",
        ]
    ),
    WORD,
)
_LOGS = CHECKOUT / "tests" / "unit" / "verifier"


@cache
def real_logs() -> Sequence[bytes]:
    found = sorted(
        each
        for each in _LOGS.rglob("*")
        if each.is_file() and each.suffix in (".log", ".txt") and each.stat().st_size < 20_000
    )
    return [LOG.encode(), *(each.read_bytes() for each in found[::7][:60])]


DOORS = [Door("log", explain, _logs, seeds=real_logs)]
