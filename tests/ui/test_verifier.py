"""The verifier panel: opened by a refusal, its marks, stepping, long logs, compile errors."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ebpftop.frames.messages import Load, Loading, Rejected, Tried
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.verifier import VerifierScreen
from ebpftop.ui.widgets.catalog import CatalogTree
from ebpftop.ui.widgets.lines import CodeLines, KnownLines, LogLines
from ebpftop.ui.widgets.panel import Framed
from ebpftop.ui.widgets.runs import RunTabs
from tests.support.frames import rejected
from tests.ui.conftest import Open, answers
from tests.ui.probes import NULL_C, NULL_LOG, NULL_PLACES, RUN

NULL = rejected(77, "lab/null-deref", text=NULL_C, log=NULL_LOG, places=NULL_PLACES)


def refuse(frame: Rejected) -> object:
    """A root side that refuses lab/null-deref with this frame."""

    def answer(request: object) -> object:
        if isinstance(request, Load) and request.probe == "lab/null-deref":
            yield Loading(run=frame.run, probe=request.probe, params={}, stage="verify")
            yield frame
        else:
            yield from answers(request)

    return answer


async def test_a_refusal_opens_the_panel_at_the_failing_line(stage: Open) -> None:
    async with stage(answer=refuse(NULL)) as on:
        await on.press("slash", *"null", "enter")
        assert isinstance(on.app.screen, VerifierScreen)
        said = on.app.screen.query_one("#said")
        assert str(said.border_title) == "lab/null-deref · rejected by the verifier"
        told = "\n".join(said.render_line(y).text.rstrip() for y in range(said.size.height))
        assert "✗ R0 invalid mem access 'map_value_or_null'" in told
        assert "`count` may be NULL here" in told
        code = [line for line in on.see(CodeLines).split("\n") if line.startswith("✗")]
        assert code == ["✗  8      *count += 1;"]
        log = [line for line in on.see(LogLines).split("\n") if line.startswith("✗")]
        assert log == ["✗ 5: (79) r1 = *(u64 *)(r0 +0)"]


async def test_arrows_step_through_instructions_and_the_c_follows(stage: Open) -> None:
    async with stage(answer=refuse(NULL)) as on:
        await on.press("slash", *"null", "enter", "up")
        assert "▶ 4: (85) call" in on.see(LogLines)
        assert [line for line in on.see(CodeLines).split("\n") if line.startswith("▶")] == [
            "▶  7      u64 *count = counts.lookup(&pid);"
        ]
        await on.press("up", "up")
        assert "▶  6      u32 pid = 1;" in on.see(CodeLines)
        await on.press("g")
        assert not any(line.startswith("▶") for line in on.see(CodeLines).split("\n"))
        assert on.one(CodeLines).current == 7
        await on.press("escape")
        assert isinstance(on.app.screen, Dashboard)


async def test_other_probes_run_on_and_v_opens_the_panel_again(stage: Open) -> None:
    options = Options(auto_load=[("cpu/syscount", {})])
    async with stage(answer=refuse(NULL), options=options) as on:
        await on.press("slash", *"null", "enter", "escape")
        assert [tab.run for tab in on.one(RunTabs).tabs] == [RUN["cpu/syscount"]]
        assert "✗ null-deref  rejected" in on.see(CatalogTree)
        await on.press("v")
        assert isinstance(on.app.screen, VerifierScreen)


async def test_a_refusal_nobody_asked_for_is_only_told(stage: Open) -> None:
    async with stage() as on:
        await on.play(NULL)
        assert isinstance(on.app.screen, Dashboard)
        assert on.told() == [
            "lab/null-deref: rejected by the verifier: R0 invalid mem access 'map_value_or_null'   v shows why"
        ]


async def test_a_compile_error_shows_clangs_message_at_its_line(stage: Open) -> None:
    log = "/virtual/main.c:7:19: error: no member named 'lookpu' in 'counts_table'\n    u64 *count = counts.lookpu();\n"
    frame = rejected(
        77,
        "lab/null-deref",
        stage="compile",
        text=NULL_C,
        log=log,
    )
    async with stage(answer=refuse(frame)) as on:
        await on.press("slash", *"null", "enter")
        assert on.one(CodeLines).failed == 6
        assert "did not compile" in str(on.app.screen.query_one("#said").border_title)
        assert "error: no member named 'lookpu'" in on.see(LogLines)
        assert not any(line.startswith("✗") for line in on.see(LogLines).split("\n"))
        await on.press("w", "b")
        assert on.told() == ["there is no verifier log to step through"] * 2
        await on.press("escape")
        assert "✗ null-deref did not compile" in on.see(CatalogTree)


async def test_variants_that_were_tried_are_told(stage: Open) -> None:
    tried = [Tried(variant="fentry", reason="the kernel has none"), Tried(variant="kprobe", reason="built without")]
    frame = rejected(77, "lab/null-deref", stage="attach", error="no variant attaches", tried=tried)
    async with stage(answer=refuse(frame)) as on:
        await on.press("slash", *"null", "enter")
        said = str(on.app.screen.query_one("#said").render())
    assert "✗ fentry: the kernel has none" in said
    assert "✗ kprobe: built without" in said


async def test_a_log_of_a_million_lines_opens_at_its_failure(stage: Open) -> None:
    steps = "".join(f"{number}: (b7) r1 = {number}\n" for number in range(1_000_000))
    log = steps + "1000000: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid mem access 'scalar'\n"
    frame = rejected(77, "lab/null-deref", text=NULL_C, log=log)
    async with stage(answer=refuse(frame)) as on:
        await on.press("slash", *"null", "enter")
        lines = on.one(LogLines)
        while not lines.count:  # it is read in a thread
            await on.pilot.pause(0.05)
        await on.settle()
        assert lines.count == 1_000_003
        assert lines.failed == 1_000_000
        assert "✗ 1000000: (79) r1 = *(u64 *)(r0 +0)" in on.see(LogLines)
        await on.press("up", "up")
        assert "▶ 999998: (b7) r1 = 999998" in on.see(LogLines)


async def test_hostile_logs_and_sources_are_inert(stage: Open) -> None:
    frame = rejected(
        77,
        "lab/null-deref",
        error="\x1b[2Jboom [bold]",
        text="int x; // \x1b]0;evil\x07\n",
        log="[red]a[/red]\x1b[31m\x00\n",
        tried=[Tried(variant="\x9b1m", reason="\x9b2m"), Tried(variant="raw", reason="no")],
    )
    async with stage(answer=refuse(frame)) as on:
        await on.press("slash", *"null", "enter")
        shown = on.see(CodeLines) + on.see(LogLines) + str(on.app.screen.query_one("#said").render())
    assert "\\x1b[2Jboom [bold]" in shown
    assert "[red]a[/red]\\x1b[31m\\x00" in shown
    assert "// \\x1b]0;evil\\x07" in shown
    assert not any(c in shown for c in "\x00\x07\x1b\x9b")


async def test_a_line_that_goes_on_says_so_at_the_edge_and_arrows_bring_it(stage: Open) -> None:
    log = "0: (b7) r1 = 1   " + "x" * 200 + "END\nshort\n"
    async with stage(answer=refuse(rejected(77, "lab/null-deref", log=log, places=[]))) as on:
        await on.press("slash", *"null", "enter")
        lines = on.one(LogLines)
        first, second = on.see(LogLines).split("\n")[:2]
        assert (first[-1], len(first)) == ("›", lines.size.width)
        assert second == "  short"
        await on.press(*["right"] * 30)
        first = on.see(LogLines).split("\n")[0]
        assert first.split()[1].startswith("‹xx")
        assert first.endswith("END")
        await on.press(*["left"] * 30)
        assert on.see(LogLines).split("\n")[0].split()[1] == "0:"


async def test_without_a_line_of_the_c_a_narrow_panel_opens_at_the_log(stage: Open) -> None:
    frame = rejected(77, "lab/null-deref", stage="compile", error="the loader ended", log="why\n")
    async with stage(answer=refuse(frame), size=(80, 24)) as on:
        await on.press("slash", *"null", "enter")
        assert on.see(LogLines).split("\n")[0].strip() == "why"
        assert on.one(LogLines).has_focus


async def test_in_80_columns_the_parts_take_turns_and_move_together(stage: Open) -> None:
    def front() -> list[str | None]:
        return [part.id for part in on.app.screen.query(Framed) if part.display]

    async with stage(answer=refuse(NULL), size=(80, 24)) as on:
        await on.press("slash", *"null", "enter")
        assert front() == ["code"]
        assert "✗  8      *count += 1;" in on.see(CodeLines)
        await on.press("tab")
        assert front() == ["log"]
        assert "✗ 5: (79) r1 = *(u64 *)(r0 +0)" in on.see(LogLines)
        await on.press("up", "tab")
        assert front() == ["known"]
        assert "R1    map_ptr(map=counts, ks=4, vs=8)" in on.see(KnownLines)
        await on.press("tab")
        assert "▶  7      u64 *count = counts.lookup(&pid);" in on.see(CodeLines)
        await on.press("shift+tab")
        assert front() == ["known"]
        await on.pilot.resize_terminal(120, 36)
        await on.settle()
        assert front() == ["code", "log", "known"]


async def test_what_was_known_stands_beside_the_instruction(stage: Open) -> None:
    async with stage(answer=refuse(NULL), size=(160, 36)) as on:
        await on.press("slash", *"null", "enter")
        assert "  R0    map_value_or_null(id=1,\n        map=counts, ks=4, vs=8)\n" in on.see(KnownLines)
        await on.press("up", "up", "up")
        assert "\n  R0    " not in on.see(KnownLines)


async def test_the_panel_is_copied_and_saved_as_text(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with stage(answer=refuse(NULL)) as on:
        await on.press("slash", *"null", "enter", "y", "s", "s")
        files = sorted(tmp_path.iterdir())
        assert len(files) == 2
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        text = files[0].read_text()
        assert on.app.clipboard == text
        assert text.startswith(
            "ebpftop: lab/null-deref: rejected by the verifier: R0 invalid mem access 'map_value_or_null'\n"
        )
        assert "     8 ▶     *count += 1;" in text
        assert "5: (79) r1 = *(u64 *)(r0 +0)" in text
        told = on.told()
        assert told[0] == "copied, if the terminal allows it"
        assert set(told[1:]) == {f"saved as {file}" for file in files}


async def test_where_the_folder_cannot_be_written_to_it_is_saved_at_home(
    stage: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/proc")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with stage(answer=refuse(NULL)) as on:
        await on.press("slash", *"null", "enter", "s")
        assert [file.name.startswith("lab-null-deref-rejected-") for file in tmp_path.iterdir()] == [True]
        monkeypatch.setenv("HOME", "/proc")
        await on.press("s")
        assert next(reversed(on.told())).startswith("not saved: ")


async def test_w_follows_registers_back_to_where_they_were_written(stage: Open) -> None:
    async with stage(answer=refuse(NULL)) as on:
        await on.press("slash", *"null", "enter", "w")
        assert "▶ 4: (85) call bpf_map_lookup_elem#1" in on.see(LogLines)
        assert "▶  7      u64 *count = counts.lookup(&pid);" in on.see(CodeLines)
        assert "insn 4 · what led to it" in str(on.app.screen.query_one("#log").border_title)
        await on.press("w")
        assert on.told() == ["no register to follow here"]
        await on.press("up", "up", "w")
        assert "▶ 0: (b7) r1 = 1" in on.see(LogLines)
        await on.press("g")
        assert on.one(LogLines).current == on.one(LogLines).failed


async def test_b_goes_to_the_last_branch_on_the_way(stage: Open) -> None:
    log = """0: (b7) r1 = 1                        ; R1_w=1
1: (15) if r1 == 0x0 goto pc+1
2: (b7) r2 = 2
3: (95) exit
from 1 to 3: R1=0
4: (79) r1 = *(u64 *)(r2 +0)
R2 !read_ok
"""
    async with stage(answer=refuse(rejected(77, "lab/null-deref", log=log))) as on:
        await on.press("slash", *"null", "enter", "b")
        assert "▶ 1: (15) if r1 == 0x0 goto pc+1" in on.see(LogLines)
        assert "insn 1 · taken" in str(on.app.screen.query_one("#log").border_title)
        await on.press("b")
        assert on.told() == ["there is no branch above"]
        await on.press("g", "w")
        assert "▶ 1: (15) if r1 == 0x0 goto pc+1" in on.see(LogLines)


async def test_w_follows_what_is_added_where_arithmetic_is_refused(stage: Open) -> None:
    log = """0: (85) call bpf_map_lookup_elem#1
1: (79) r1 = *(u64 *)(r6 +8)
2: (0f) r0 += r1
math between map_value pointer and register with unbounded min value is not allowed
"""
    async with stage(answer=refuse(rejected(77, "lab/null-deref", log=log))) as on:
        await on.press("slash", *"null", "enter", "w")
        assert "▶ 1: (79) r1 = *(u64 *)(r6 +8)" in on.see(LogLines)


async def test_an_attach_failure_says_why_there_is_no_log(stage: Open) -> None:
    frame = rejected(77, "lab/null-deref", stage="attach", error="no variant attaches", log="")
    async with stage(answer=refuse(frame)) as on:
        await on.press("slash", *"null", "enter")
        lines = on.one(LogLines)
        while not lines.count:  # it is read in a thread
            await on.pilot.pause(0.05)
        assert "Attaching leaves no log" in on.see(LogLines)
        assert "attaching" in str(on.app.screen.query_one("#log").border_title)


async def test_a_rejection_without_registers_says_so(stage: Open) -> None:
    frame = rejected(77, "lab/null-deref", text=NULL_C, log="processed 0 insns (limit 1000000)\n", places=[])
    async with stage(answer=refuse(frame), size=(160, 40)) as on:
        await on.press("slash", *"null", "enter")
        while not on.one(LogLines).count:  # it is read in a thread
            await on.pilot.pause(0.05)
        await on.settle()
        assert "The log shows no registers here" in " ".join(on.see(KnownLines).split())
