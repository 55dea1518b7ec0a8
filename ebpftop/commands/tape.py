"""The dashboard on a tape: a recorded one, or the bundled demo. No root, no BPF."""

from __future__ import annotations

from pathlib import Path

from ebpftop.base.errors import Cannot, UserError
from ebpftop.base.inert import inert
from ebpftop.base.lean import lean
from ebpftop.catalog.settings import Settings
from ebpftop.commands import screen
from ebpftop.commands.settings import tell
from ebpftop.frames.tape_format import BadTape
from ebpftop.supervisor import privilege

DEMO = Path(__file__).resolve().parents[1] / "demo.tape"


def replay(tape: Path, settings: Settings) -> int:
    """Run the dashboard on a tape, with the invoker's rights."""
    screen.require()
    if who := privilege.invoker():
        privilege.drop(who)
    tell(settings)
    lean("asyncio", "ssl")
    from ebpftop.frames.tape_source import TapeSource
    from ebpftop.ui.app.run import run_dashboard

    try:
        source = TapeSource(tape)
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(tape))}: {error.strerror}") from None
    return run_dashboard(source, chosen=settings)


def demo(settings: Settings) -> int:
    """Run the dashboard on the bundled tape."""
    if not DEMO.is_file():
        raise Cannot("this installation has no demo tape")
    return replay(DEMO, settings)
