"""The dashboard on a tape: a recorded one, or the bundled demo. No root, no BPF."""

from __future__ import annotations

import argparse
from pathlib import Path

from ebpftop.base.errors import Cannot, UserError
from ebpftop.base.inert import inert
from ebpftop.base.lean import lean
from ebpftop.commands import screen, settings
from ebpftop.frames.tape_format import BadTape
from ebpftop.supervisor import privilege

DEMO = Path(__file__).resolve().parents[1] / "demo.tape"


def replay(arguments: argparse.Namespace) -> int:
    """Run the dashboard on a tape, with the invoker's rights."""
    return _on_screen(arguments.tape, arguments)


def demo(arguments: argparse.Namespace) -> int:
    """Run the dashboard on the bundled tape."""
    if not DEMO.is_file():
        raise Cannot("this installation has no demo tape")
    return _on_screen(DEMO, arguments)


def _on_screen(tape: Path, arguments: argparse.Namespace) -> int:
    screen.require()
    if who := privilege.invoker():
        privilege.drop(who)
    settings.tell(arguments)
    lean("asyncio", "ssl")
    from ebpftop.frames.tape_source import TapeSource
    from ebpftop.ui.app.run import run_dashboard

    try:
        source = TapeSource(tape)
    except BadTape as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{inert(str(tape))}: {error.strerror}") from None
    return run_dashboard(source, chosen=arguments.settings)
