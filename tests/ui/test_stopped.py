"""A probe that was detached though nobody requested it: a short notice, and `v` shows why for as long as one likes."""

from __future__ import annotations

from ebpftop.frames.messages import Detached
from ebpftop.ui.app.options import Options
from ebpftop.ui.screens.dashboard import Dashboard
from ebpftop.ui.screens.row import RowScreen
from ebpftop.ui.screens.verifier import VerifierScreen
from tests.support.frames import detached, process, processes, rejected
from tests.ui.conftest import Open, Stage
from tests.ui.probes import RUN, calls

CALLS = Options(auto_load=[("cpu/syscount", {})])
REASON = (
    "it took 31% of a CPU and all probes together 40%, but --budget allows 25%: narrow it with pid, or raise --budget"
)
STOPPED = Detached(run=RUN["cpu/syscount"], reason=REASON)
BAD = RUN["lab/null-deref"]


def why(on: Stage) -> dict[str, str]:
    screen = on.app.screen
    assert isinstance(screen, RowScreen)
    return dict(screen.fields)


async def test_the_notice_is_short_and_v_shows_the_reason(stage: Open) -> None:
    async with stage(options=CALLS, size=(80, 24)) as on:
        await on.play(processes(process(1, "postgres")), calls(1, {1: 5}), STOPPED)
        assert on.told() == ["cpu/syscount: detached   v shows why"]
        await on.press("v")
        assert why(on)["why"] == REASON
        await on.press("v")
        assert isinstance(on.app.screen, Dashboard)
        await on.press("d", "v")  # its tab is closed
        assert why(on)["why"] == REASON


async def test_what_the_user_detached_needs_no_reason(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(calls(1, {1: 5}), detached(RUN["cpu/syscount"]))
        await on.press("v")
        assert isinstance(on.app.screen, Dashboard)
        assert on.told() == ["no probe was rejected or detached; when one is, v shows why"]


async def test_v_shows_the_last_failure_of_either_kind(stage: Open) -> None:
    async with stage(options=CALLS) as on:
        await on.play(rejected(BAD, "lab/null-deref"), calls(1, {1: 5}), STOPPED)
        await on.press("v")
        assert why(on)["why"] == REASON
        await on.press("escape")
        await on.play(rejected(BAD + 1, "lab/null-deref"))
        await on.press("v")
        assert isinstance(on.app.screen, VerifierScreen)
