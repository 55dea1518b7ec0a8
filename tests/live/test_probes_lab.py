"""The probes of lab/ that fail on purpose are refused by the verifier, at the line that is wrong."""

from __future__ import annotations

import pytest
from support.tracing import rejected

pytestmark = pytest.mark.bpf


@pytest.mark.parametrize(
    ("probe", "line", "complaint"),
    [
        ("lab/null-deref", "    *count += 1;", "invalid mem access 'map_value_or_null'"),
        ("lab/infinite-loop", "    while (bpf_ktime_get_ns() < end)", "infinite loop detected"),
        ("lab/forbidden-call", "    bpf_skb_load_bytes(ctx, 0, &header, sizeof(header));", "bpf_skb_load_bytes#26"),
    ],
)
def test_the_verifier_refuses_the_line_meant(probe: str, line: str, complaint: str) -> None:
    verdict = rejected(probe).rejected
    assert verdict["stage"] == "verify"
    assert complaint in verdict["error"]
    assert verdict["source"]["text"] == line
    assert verdict["source"]["file"] == f"{probe}/probe.bpf.c"
