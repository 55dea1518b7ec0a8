"""The command line. Exit codes: 0 success, 1 failure, 2 usage error, 3 impossible on this machine or for this user."""

from __future__ import annotations

import argparse
import os
import sys

from ebpftop import __version__
from ebpftop.base import streams
from ebpftop.base.errors import UserError

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, NoReturn

_EPILOG = """\
exit codes: 0 success; 1 failure; 2 usage error; 3 impossible on this machine or for this user (the error says why)

  sudo ebpftop                     the dashboard
  sudo ebpftop run runqlat         one probe, as text, until Ctrl-C
  sudo ebpftop play first-minute   several probes side by side
  ebpftop demo                     the dashboard on a recorded incident; no root, no BPF
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its status."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run one command; returns its exit status."""
    try:
        streams.prepare()
        status = _obey(argv)
        sys.stdout.flush()  # report write errors here, not when the interpreter exits
        return status
    except UserError as error:
        print(f"ebpftop: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from ebpftop.base import crash

        crash.tell("command", error)
        return 1


def _obey(argv: list[str]) -> int:
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as leaving:  # after --help, --version, or a usage error
        return int(leaving.code or 0)
    import ebpftop.base.crash  # noqa: F401 - while memory and files last, but not for --help

    arguments.probes = [*arguments.probes_before, *getattr(arguments, "probes", [])]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # otherwise NumPy starts a thread per CPU that we don't need
    if arguments.user_env:
        from ebpftop.supervisor.elevate import CARRIED

        os.environ.update(entry for entry in arguments.user_env if entry[0] in CARRIED)
    return _run(arguments, argv)


def _run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run a command. Its module is imported only then: `ebpftop --version` is fast, and root imports little."""
    match arguments.command:
        case "list" | "show" | "new":
            from ebpftop.commands import catalog

            return {"list": catalog.list_probes, "show": catalog.show, "new": catalog.new}[arguments.command](arguments)
        case "replay" | "demo":
            from ebpftop.commands import tape

            return tape.replay(arguments.tape) if arguments.command == "replay" else tape.demo()
        case "explain":
            from ebpftop.commands import explain

            return explain.explain(arguments.log, arguments.source, as_json=arguments.json)
        case "doctor":
            from ebpftop.commands import doctor

            return doctor.doctor(as_json=arguments.json)
        case "check":
            from ebpftop.commands import check

            return check.check(arguments, argv)
        case command:
            from ebpftop.commands import tracing

            traced = {"play": tracing.play, "run": tracing.run, "record": tracing.record}
            return traced.get(command, tracing.dashboard)(arguments, argv)


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as argparse makes it, which would import what packs archives to learn that."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=_Help)


def _columns() -> int:
    try:
        return int(os.environ["COLUMNS"]) or 80
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80 if sys.__stdout__ else 80
    except (OSError, ValueError):
        return 80


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = _Parser(
        prog="ebpftop",
        description="An interactive terminal dashboard for live kernel tracing with eBPF.",
        epilog=_EPILOG,
    )
    top.add_argument("--version", action="version", version=f"ebpftop {__version__}")
    top.add_argument("--user-env", type=_assignment, action="append", help=argparse.SUPPRESS)
    # Both are accepted before and after the command.
    _sudo_option(top, default=False)
    _folder_option(top, dest="probes_before")
    _budget_option(top, default=25.0)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    one = commands.add_parser("play", help="run a playbook: several probes side by side")
    one.add_argument("playbook", metavar="NAME", help="a playbook that 'ebpftop list' shows")
    _budget_option(one)
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("list", help="list the catalog, and what can run here")
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    _folder_option(one)

    one = commands.add_parser("show", help="show a probe's C, attach points and documentation")
    one.add_argument("probe", metavar="PROBE")
    _folder_option(one)

    one = commands.add_parser("run", help="run one probe without the dashboard; Ctrl-C prints a summary")
    one.add_argument("probe", metavar="PROBE")
    one.add_argument(
        "-p",
        "--param",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="see 'ebpftop show PROBE'",
    )
    one.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="seconds between reports (default: 1)")
    one.add_argument("--duration", type=_seconds, metavar="S", help="stop after S seconds")
    one.add_argument(
        "--format",
        choices=("text", "json", "csv", "folded", "speedscope"),
        default="text",
        help="json: one object per line; csv: texts that a spreadsheet would take for formulas begin with '; "
        "folded (for flamegraph.pl) and speedscope: call stacks, written at the end",
    )
    one.add_argument("--raw", action="store_true", help="csv for programs: texts as they are, without that '")
    _budget_option(one)
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("record", help="record probes to a tape, to replay later or elsewhere")
    one.add_argument("names", metavar="PROBE", nargs="+")
    one.add_argument("-o", "--output", type=_path, required=True, metavar="TAPE")
    one.add_argument(
        "-p",
        "--param",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="applies to every probe that has this parameter",
    )
    one.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="S", help="seconds between snapshots (default: 1)"
    )
    one.add_argument("--duration", type=_seconds, metavar="S", help="stop after S seconds (default: at Ctrl-C)")
    one.add_argument("--args", action="store_true", help="record process command lines, which may contain secrets")
    one.add_argument("--force", action="store_true", help="overwrite an existing tape")
    _budget_option(one)
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("replay", help="open a tape in the dashboard; no root, no BPF")
    one.add_argument("tape", type=_path, metavar="TAPE")

    one = commands.add_parser("demo", help="open the bundled tape in the dashboard; no root, no BPF")

    one = commands.add_parser("explain", help="explain a verifier log, from any loader; no root")
    one.add_argument("log", nargs="?", default="-", metavar="LOG", help="a file, or - for standard input (default: -)")
    one.add_argument("--source", type=_path, metavar="FILE", help="the program's C source, to quote lines from")
    one.add_argument("--json", action="store_true", help="print one JSON object per failure, one per line")

    one = commands.add_parser(
        "check", help="check a probe folder (manifest, lint, compile, verify; nothing is attached) or playbooks"
    )
    one.add_argument("folder", type=_path, metavar="DIR")
    _sudo_option(one)

    one = commands.add_parser("new", help="create a new probe folder")
    one.add_argument(
        "--from", dest="origin", metavar="PROBE", help="start from a copy of this probe (default: a small template)"
    )
    one.add_argument("folder", type=_path, metavar="DIR")

    one = commands.add_parser("doctor", help="test what this machine can trace, and suggest fixes")
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    return top


def _sudo_option(command: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    help_text = "do not restart under sudo when root is needed"
    command.add_argument("--no-sudo", action="store_true", default=default, help=help_text)


def _budget_option(command: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    command.add_argument(
        "--budget",
        type=_percent,
        default=default,
        metavar="PERCENT",
        help="detach the costliest probe when all take more of one CPU over 5 s (default: 25; 0: no limit)",
    )


def _folder_option(command: argparse.ArgumentParser, dest: str = "probes") -> None:
    command.add_argument(
        "--probes",
        type=_path,
        action="append",
        dest=dest,
        default=[],
        metavar="DIR",
        help="a folder of probes, in addition to the bundled ones",
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!a} is not NAME=VALUE")
    return name, value


def _percent(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!a} is not a percentage of one CPU")
    return percent


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.05 <= seconds <= 86_400 * 7:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds from 0.05 to 604800")
    return seconds
