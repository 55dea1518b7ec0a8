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
    from datetime import time
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
        case "tape":
            from ebpftop.commands import tapes

            return tapes.tape(arguments)
        case "report":
            from ebpftop.commands import report

            return report.report(arguments)
        case "compare":
            from ebpftop.commands import compare

            return compare.compare(arguments)
        case "explain":
            from ebpftop.commands import explain

            return explain.explain(arguments.log, arguments.source, as_json=arguments.json)
        case "doctor":
            from ebpftop.commands import doctor

            return doctor.doctor(as_json=arguments.json)
        case "mark":
            from ebpftop.commands import mark

            return mark.mark(arguments.text)
        case "others":
            from ebpftop.commands import others

            return others.others(arguments, argv)
        case "threads":
            from ebpftop.commands import threads

            return threads.threads(arguments, argv)
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
        allow_abbrev=False,  # or `compare --b` would be one of --budget and --before
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
    _when_options(top, top=True)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    one = commands.add_parser("play", help="run a playbook: several probes side by side")
    one.add_argument("playbook", metavar="NAME", help="a playbook that 'ebpftop list' shows")
    _when_options(one)
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
    _when_options(one)
    _budget_option(one)
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("record", help="record probes to a tape, to replay later or elsewhere")
    one.add_argument("names", metavar="PROBE", nargs="*", help="besides those that --when names")
    one.add_argument("-o", "--output", type=_path, metavar="TAPE", help="required, unless --save is given")
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
    _when_options(one)
    _budget_option(one)
    _sudo_option(one)
    _folder_option(one)

    one = commands.add_parser("replay", help="open a tape in the dashboard; no root, no BPF")
    one.add_argument("tape", type=_path, metavar="TAPE")

    _tape_commands(commands.add_parser("tape", help="what is on tapes; cut, merge and scrub them; no root"))
    one = commands.add_parser("report", help="write what a tape holds as one HTML page, or as data; no root, no BPF")
    one.add_argument("tape", type=_path, metavar="TAPE")
    one.add_argument("other", type=_path, nargs="?", metavar="TAPE", help="a tape after that, to compare with it")
    one.add_argument("-o", "--output", type=_path, required=True, metavar="FILE", help="- for standard output")
    one.add_argument(
        "--format",
        choices=("html", "csv", "json", "folded", "speedscope"),
        default="html",
        help="html: one page that needs no network (default); json: one object a line for each probe",
    )
    one.add_argument(
        "--from", dest="begin", type=_moment, metavar="TIME", help="seconds from the tape's beginning, or HH:MM[:SS]"
    )
    one.add_argument("--to", dest="end", type=_moment, metavar="TIME", help="the same (default: the tape's end)")
    _span_options(one)
    one.add_argument("--title", help="the page's title")
    one.add_argument("--force", action="store_true", help="overwrite an existing file")

    one = commands.add_parser("demo", help="open the bundled tape in the dashboard; no root, no BPF")

    one = commands.add_parser("mark", help="mark this moment in your running dashboards and recordings; no root")
    one.add_argument("text", metavar="TEXT", help="what happens now, in at most 4 KiB")
    one = commands.add_parser("compare", help="compare two tapes, or two spans of one; no root, no BPF")
    one.add_argument("tape", type=_path, metavar="TAPE")
    one.add_argument("other", type=_path, nargs="?", metavar="TAPE", help="the tape after (default: the same one)")
    _span_options(one)
    one.add_argument("--json", action="store_true", help="print one JSON object")

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

    one = commands.add_parser("others", help="list every BPF program on the machine with its cost and owner")
    one.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="S", help="seconds over which costs are taken (default: 1)"
    )
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    _sudo_option(one)

    one = commands.add_parser("threads", help="list where every thread is, and what those that wait are waiting for")
    one.add_argument("--pid", type=_pid, metavar="PID", help="only the threads of this process")
    one.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="S", help="seconds between the two looks (default: 1)"
    )
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    _sudo_option(one)

    one = commands.add_parser("doctor", help="test what this machine can trace, and suggest fixes")
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    return top


def _span_options(command: argparse.ArgumentParser) -> None:
    """Two spans that are compared."""
    for name, what in (("a", "before"), ("b", "after")):
        command.add_argument(
            f"--{name}",
            type=_span,
            default=(None, None),
            metavar="FROM..TO",
            help=f"the span {what}, as 10:00:00..10:00:30 or in seconds of the tape (default: the whole tape)",
        )
    command.add_argument("--by", default="", metavar="DIMENSION", help="sum the rows by it: name, user, cgroup, …")


def _tape_commands(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(title="commands", metavar="COMMAND", dest="action", required=True)
    one = actions.add_parser("info", help="host, kernel, time, probes, marks, losses and sizes")
    one.add_argument("tapes", type=_path, nargs="+", metavar="TAPE")
    one.add_argument("--json", action="store_true", help="print one JSON object per tape, one per line")

    cut = actions.add_parser("cut", help="write a part of a tape")
    cut.add_argument("tape", type=_path, metavar="TAPE")
    at = "seconds, M:SS or H:MM:SS since the tape's start, or the text of a mark"
    cut.add_argument("--from", dest="begin", metavar="TIME", help=f"{at} (default: its start)")
    cut.add_argument("--to", dest="end", metavar="TIME", help="likewise (default: its end)")

    merge = actions.add_parser("merge", help="write several tapes of one host as one, in the order of time")
    merge.add_argument("tapes", type=_path, nargs="+", metavar="TAPE")

    scrub = actions.add_parser(
        "scrub", help="write a tape with pseudonyms in place of names, paths, addresses and arguments, to share it"
    )
    scrub.add_argument("tape", type=_path, metavar="TAPE")
    for one in (cut, merge, scrub):
        one.add_argument("-o", "--output", type=_path, required=True, metavar="TAPE")
        one.add_argument("--force", action="store_true", help="overwrite an existing tape")


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


def _when_options(command: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Accepted before and after the command: only those before it have defaults."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    group = command.add_argument_group("triggers")
    group.add_argument(
        "--when",
        action="append",
        default=default([]),
        metavar="TRIGGER",
        help="mark when this holds, once an episode: 'runqlat p99 > 20ms for 3s', 'syscount rate > 100k/s', "
        "'execsnoop count(\"curl\") > 5 for 10s'",
    )
    group.add_argument(
        "--save", type=_path, default=default(None), metavar="DIR", help="write a tape of each episode to this folder"
    )
    group.add_argument(
        "--before", type=_seconds, default=default(60.0), metavar="S", help="seconds before it (default: 60)"
    )
    group.add_argument(
        "--after", type=_seconds, default=default(10.0), metavar="S", help="seconds after it (default: 10)"
    )
    group.add_argument(
        "--keep-tapes", type=_whole, default=default(50), metavar="N", help="tapes that stay, the newest (default: 50)"
    )
    group.add_argument(
        "--keep-bytes",
        type=_size,
        default=default(1 << 30),
        metavar="SIZE",
        help="bytes that they take at most (default: 1GiB)",
    )


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number from 1 to 1000000")
    return int(text)


def _pid(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= 1 << 22:
        raise argparse.ArgumentTypeError(f"{text!a} is not the number of a process")
    return int(text)


def _size(text: str) -> int:
    number = text.rstrip("KMGiB")
    power = {"": 0, "K": 1, "M": 2, "G": 3}.get(text[len(number) :].removesuffix("iB").removesuffix("B"))
    if not (number.isascii() and number.isdecimal()) or power is None or len(number) > 12 or not int(number):
        raise argparse.ArgumentTypeError(f"{text!a} is not a size, as 500MiB or 2GiB")
    return int(number) << 10 * power


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


def _moment(text: str) -> float | time:
    """Seconds, or a time of day."""
    if ":" in text:
        from datetime import time

        try:
            return time.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!a} is not a time of day such as 14:05 or 14:05:30") from None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!a} is neither seconds nor a time of day such as 14:05:30")
    return seconds


def _span(text: str) -> tuple[float | time | None, float | time | None]:
    """Either end may be missing."""
    first, dots, last = text.partition("..")
    if not dots:
        raise argparse.ArgumentTypeError(f"{text!a} is not FROM..TO, as in 10:00:00..10:00:30 or 30..90")
    return _moment(first) if first else None, _moment(last) if last else None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.05 <= seconds <= 86_400 * 7:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds from 0.05 to 604800")
    return seconds
