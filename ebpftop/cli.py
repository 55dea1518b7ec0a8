"""The commands and their exit codes: 0 done, 1 the thing asked for failed, 2 usage, 3 this machine or user can't."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ebpftop import __version__
from ebpftop.base import crash, streams
from ebpftop.base.errors import UserError

_EPILOG = """\
exit codes: 0 done; 1 the thing asked for failed; 2 usage; 3 this machine or user can't, and what would help

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
        sys.stdout.flush()  # what can't be written is told here, not by the interpreter's end
        return status
    except UserError as error:
        print(f"ebpftop: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        crash.tell("command", error)
        return 1


def _obey(argv: list[str]) -> int:
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as leaving:  # after --help, --version, or what is wrong with the arguments
        return int(leaving.code or 0)
    arguments.probes = [*arguments.probes_before, *getattr(arguments, "probes", [])]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else NumPy starts a thread a CPU, for work that is not ours
    if arguments.user_env:
        from ebpftop.supervisor.elevate import CARRIED

        os.environ.update(entry for entry in arguments.user_env if entry[0] in CARRIED)
    return _run(arguments, argv)


def _run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Each command is imported when it runs: `ebpftop --version` waits for nothing, and root imports little."""
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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="ebpftop",
        description="An interactive terminal dashboard for live kernel tracing with eBPF.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ebpftop {__version__}")
    top.add_argument("--user-env", type=_assignment, action="append", help=argparse.SUPPRESS)
    # Both may stand before the command as well as after it.
    _sudo_option(top, default=False)
    _folder_option(top, dest="probes_before")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    one = commands.add_parser("play", help="a playbook: several probes side by side, each with the question it answers")
    one.add_argument("playbook", metavar="NAME", help="'ebpftop list' names them")
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("list", help="the catalog, and what of it can run here")
    one.add_argument("--json", action="store_true", help="an array of objects")
    _folder_option(one)

    one = commands.add_parser("show", help="a probe's C, attach points and documentation, to read before running it")
    one.add_argument("probe", metavar="PROBE")
    _folder_option(one)

    one = commands.add_parser("run", help="one probe without the dashboard; Ctrl-C prints a summary")
    one.add_argument("probe", metavar="PROBE")
    one.add_argument(
        "-p", "--param", type=_assignment, action="append", default=[], metavar="NAME=VALUE", help="see 'ebpftop show'"
    )
    one.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="seconds between reports (1)")
    one.add_argument("--duration", type=_seconds, metavar="S", help="end after so many seconds")
    one.add_argument(
        "--format",
        choices=("text", "json", "csv", "folded", "speedscope"),
        default="text",
        help="json: one object a line; csv: texts that a spreadsheet would take for formulas begin with '; "
        "folded (as flamegraph.pl reads it), speedscope: call stacks, at the end",
    )
    one.add_argument("--raw", action="store_true", help="csv for programs: texts as they are, without that '")
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("record", help="probes into a tape, to replay later or elsewhere")
    one.add_argument("names", metavar="PROBE", nargs="+")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="TAPE")
    one.add_argument(
        "-p",
        "--param",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for every probe that has it",
    )
    one.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="seconds between snapshots (1)")
    one.add_argument("--duration", type=_seconds, metavar="S", help="end after so many seconds (else Ctrl-C)")
    one.add_argument("--args", action="store_true", help="keep the command lines of processes, which may hold secrets")
    one.add_argument("--force", action="store_true", help="overwrite an existing tape")
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("replay", help="the dashboard on a tape; no root, no BPF")
    one.add_argument("tape", type=Path, metavar="TAPE")

    one = commands.add_parser("demo", help="the dashboard on the bundled tape; no root, no BPF")

    one = commands.add_parser("explain", help="why the kernel's verifier refused a program: any loader's log; no root")
    one.add_argument("log", nargs="?", default="-", metavar="LOG", help="a file, or - for standard input (-)")
    one.add_argument("--source", type=Path, metavar="FILE", help="the program's C, to quote lines from")
    one.add_argument("--json", action="store_true", help="one object a failure, each on a line of its own")

    one = commands.add_parser(
        "check", help="a probe folder: manifest, lint, compile, verify, without attaching; or playbooks"
    )
    one.add_argument("folder", type=Path, metavar="DIR")
    _sudo_option(one)

    one = commands.add_parser("new", help="a new probe folder to start from")
    one.add_argument("--from", dest="origin", metavar="PROBE", help="copy this one of the catalog")
    one.add_argument("folder", type=Path, metavar="DIR")

    one = commands.add_parser("doctor", help="what this machine can trace, tried for real, and remedies")
    one.add_argument("--json", action="store_true", help="an array of objects")
    return top


def _sudo_option(command: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    help_text = "do not ask sudo when root is needed"
    command.add_argument("--no-sudo", action="store_true", default=default, help=help_text)


def _folder_option(command: argparse.ArgumentParser, dest: str = "probes") -> None:
    command.add_argument(
        "--probes",
        type=Path,
        action="append",
        dest=dest,
        default=[],
        metavar="DIR",
        help="a folder of probes beside the bundled",
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!a} is not NAME=VALUE")
    return name, value


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.05 <= seconds <= 86_400 * 7:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds from 0.05 on")
    return seconds
