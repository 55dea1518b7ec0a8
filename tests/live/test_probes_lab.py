"""The probes of lab/ that fail on purpose are rejected at the wrong line, with an explanation; with the fix from
their READMEs they are accepted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest

from tests.support.processes import SLOWER
from tests.support.tracing import PATIENCE, PROBES, any_kernel, rejected

pytestmark = pytest.mark.bpf


class Lesson(NamedTuple):
    """line: where it is wrong. complaint and hint: parts of what is said. wrong becomes right to mend it."""

    line: str
    complaint: str
    hint: str
    wrong: str
    right: str
    stage: str = "verify"


LESSONS = {
    "null-deref": Lesson(
        "    *count += 1;",
        "invalid mem access 'map_value_or_null'",
        "may be NULL here",
        """    u64 *count = calls.lookup(&tgid); // NULL for a process that was never counted
    *count += 1;
""",
        """    u64 zero = 0;
    u64 *count = calls.lookup_or_try_init(&tgid, &zero);
    if (!count) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(count, 1);
""",
    ),
    "infinite-loop": Lesson(
        "    while (bpf_ktime_get_ns() < end)",
        "infinite loop detected",
        "never end",
        "    while (bpf_ktime_get_ns() < end)\n",
        "    for (int i = 0; i < 1000 && bpf_ktime_get_ns() < end; i++)\n",
    ),
    "forbidden-call": Lesson(
        "    bpf_skb_load_bytes(ctx, 0, &header, sizeof(header));",
        "bpf_skb_load_bytes#26",
        "may not call `bpf_skb_load_bytes`",
        "    bpf_skb_load_bytes(ctx, 0, &header, sizeof(header));\n",
        "",
    ),
    "out-of-bounds": Lesson(
        "    sums->by_error[error]++;",
        "math between map_value pointer and register with unbounded min value is not allowed",
        "Bound the index",
        "    u64 error = -result;\n    sums->calls++;\n",
        "    sums->calls++;\n    u64 error = -result;\n    if (error >= ERRORS)\n        return 0;\n",
    ),
    "uninitialised": Lesson(
        "    events.ringbuf_submit(event, flags);",
        "R2 !read_ok",
        "Initialise the variable",
        "    u64 flags;\n",
        "    u64 flags = BPF_RB_NO_WAKEUP;\n",
    ),
    "stack-too-big": Lesson(
        "int on_exec(struct bpf_raw_tracepoint_args *ctx)",
        "BPF stack limit",
        "per-CPU array map",
        """    char path[1024];
    long size = bpf_probe_read_kernel_str(path, sizeof(path), READ(program, filename));
""",
        """    u32 only = 0;
    struct path *path = paths.lookup(&only);
    if (!path)
        return 0;
    long size = bpf_probe_read_kernel_str(path->text, sizeof(path->text), READ(program, filename));
""",
        stage="compile",
    ),
    "leaked-reference": Lesson(
        "}",
        "Unreleased reference",
        "Submit or discard the record",
        "    if (!event->user)\n        return 0;\n",
        """    if (!event->user) {
        events.ringbuf_discard(event, BPF_RB_NO_WAKEUP);
        return 0;
    }
""",
    ),
    "too-complex": Lesson(
        "        if (bpf_get_prandom_u32() & 1)",
        "The sequence of 8193 jumps is too complex",
        "Use fewer branches",
        "    for (int toss = 0; toss < 10000; toss++)\n",
        "    for (int toss = 0; toss < 100; toss++)\n",
    ),
}


@pytest.mark.parametrize("name", LESSONS)
def test_each_is_refused_at_the_line_meant_and_explained(name: str) -> None:
    lesson, failure = LESSONS[name], rejected(f"lab/{name}").failed
    assert failure["stage"] == lesson.stage
    assert lesson.complaint in failure["message"]
    assert failure["source"]["text"] == lesson.line
    assert failure["source"]["file"] == f"lab/{name}/probe.bpf.c"
    assert lesson.hint in f"{failure['explanation']}\n{failure['fix']}"


@any_kernel
@pytest.mark.parametrize("name", LESSONS)
def test_each_is_accepted_once_mended_as_it_says(tmp_path: Path, name: str) -> None:
    lesson = LESSONS[name]
    readme = (PROBES / "lab" / name / "README.md").read_text()
    folder = tmp_path / "lab" / name
    copytree(PROBES / "lab" / name, folder)
    source = (folder / "probe.bpf.c").read_text()
    assert lesson.wrong in source
    assert [line for line in lesson.right.splitlines() if line.strip() not in source + readme] == []
    source = source.replace(lesson.wrong, lesson.right)
    if name == "stack-too-big":
        declared = readme[readme.index("    struct path {") : readme.index("    u32 only")].replace("\n    ", "\n")
        source = source.replace("int on_exec", declared.removeprefix("    ") + "int on_exec")
    (folder / "probe.bpf.c").write_text(source)
    check = [sys.executable, "-m", "ebpftop", "check", str(folder)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=PATIENCE * SLOWER, check=False)
    assert "raw: verified" in done.stdout, done.stdout
