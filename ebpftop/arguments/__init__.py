"""The command line's arguments, for each command."""

from __future__ import annotations

import argparse

from ebpftop import __version__
from ebpftop.arguments.options import (
    budget_option,
    folder_option,
    host_options,
    param_option,
    span_options,
    sudo_option,
    tracing_options,
    when_options,
)
from ebpftop.base.argument_types import address, assignment, moment, path, pid, playbook_or_tape, seconds, whole
from ebpftop.base.parser import Later, Parser

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PROBE = "a probe from 'ebpftop list', such as cpu/runqlat, or runqlat alone if that is unique"
_FORMATS = ("json", "csv", "perfetto", "folded", "speedscope", "pprof")
_EPILOG = """\
exit codes: 0 success; 1 failure; 2 usage error; 3 impossible on this machine or for this user (the error says why)

  sudo ebpftop                     the dashboard
  sudo ebpftop run runqlat         one probe, as text, until Ctrl-C
  sudo ebpftop play first-minute   several probes side by side
  ebpftop demo                     a recorded incident; no root, no BPF
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = Parser(
        allow_abbrev=False,  # or `compare --b` would be one of --budget and --before
        prog="ebpftop",
        description="An interactive terminal dashboard for live kernel tracing with eBPF.",
        epilog=_EPILOG,
    )
    top.add_argument("--version", action="version", version=f"ebpftop {__version__}")
    top.add_argument("--user-env", type=assignment, action="append", help=argparse.SUPPRESS)
    # Both are accepted before and after the command.
    sudo_option(top, default=False)
    folder_option(top, dest="probes_before")
    budget_option(top, default=None)
    when_options(top, top=True)
    host_options(top, top=True)
    given: Any = {"parser_class": Later}  # it has the same interface
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command", **given)
    for name, (text, fill) in _COMMANDS.items():
        commands.add_parser(name, help=text, description=_sentence(text), fill=fill)
    commands.add_parser("complete", fill=_complete)  # called by the completion scripts, and not listed in any help
    return top


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _play(one: argparse.ArgumentParser) -> None:
    one.add_argument("playbook", metavar="PLAYBOOK", help="a playbook from 'ebpftop list'")
    when_options(one)
    host_options(one)
    tracing_options(one)


def _list(one: argparse.ArgumentParser) -> None:
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    folder_option(one)


def _show(one: argparse.ArgumentParser) -> None:
    one.add_argument("probe", metavar="PROBE", help=_PROBE)
    folder_option(one)


def _run(one: argparse.ArgumentParser) -> None:
    one.add_argument("probe", metavar="PROBE", help=_PROBE)
    param_option(one, "see 'ebpftop show PROBE'")
    one.add_argument("--interval", type=seconds, metavar="S", help="seconds between reports (default: 1)")
    one.add_argument("--duration", "--for", type=seconds, metavar="S", help="stop after S seconds (default: at Ctrl-C)")
    one.add_argument(
        "--format",
        choices=("text", *_FORMATS),
        default="text",
        help="json: one object per line; csv: text that a spreadsheet would take for a formula gets a leading '; "
        "perfetto: a trace for ui.perfetto.dev; folded (for flamegraph.pl), speedscope and pprof: call stacks, written "
        "at the end",
    )
    one.add_argument("--raw", action="store_true", help="csv for programs: text as it is, without a leading '")
    when_options(one)
    host_options(one)
    tracing_options(one)


def _record(one: argparse.ArgumentParser) -> None:
    one.add_argument("names", metavar="PROBE", nargs="*", help="in addition to those that --when names")
    one.add_argument(
        "-o", "--output", type=path, metavar="TAPE", help="the tape to write; required unless --save is given"
    )
    param_option(one)
    one.add_argument("--interval", type=seconds, metavar="S", help="seconds between snapshots (default: 1)")
    one.add_argument("--duration", "--for", type=seconds, metavar="S", help="stop after S seconds (default: at Ctrl-C)")
    one.add_argument("--args", action="store_true", help="record process command lines, which may contain secrets")
    one.add_argument("--force", action="store_true", help="overwrite an existing tape")
    when_options(one)
    host_options(one)
    tracing_options(one)


def _exporter(one: argparse.ArgumentParser) -> None:
    one.add_argument("names", metavar="PROBE", nargs="*", help="at least one, or --config, --rules or --dashboard")
    one.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        help="TOML file with probes, their parameters and the options below; the command line takes precedence",
    )
    one.add_argument(
        "--listen",
        type=address,
        metavar="ADDRESS:PORT",
        help="address to listen on (default: 127.0.0.1:9435); anyone who can connect can read the metrics",
    )
    param_option(one)
    one.add_argument("--interval", type=seconds, metavar="S", help="seconds between updates (default: 5)")
    one.add_argument(
        "--top",
        type=whole,
        metavar="N",
        help="at most N series per metric, plus 'other' (default: 20)",
    )
    printed = one.add_mutually_exclusive_group()
    printed.add_argument("--rules", action="store_true", help="print rules for Prometheus and exit")
    printed.add_argument("--dashboard", action="store_true", help="print a dashboard for Grafana and exit")
    tracing_options(one)


def _serve(one: argparse.ArgumentParser) -> None:
    one.add_argument("--stdio", action="store_true", required=True, help="use standard input and output")
    sudo_option(one)


def _replay(one: argparse.ArgumentParser) -> None:
    one.add_argument("tape", type=path, metavar="TAPE", help="the tape to play")


def _report(one: argparse.ArgumentParser) -> None:
    one.add_argument("tape", type=path, metavar="TAPE", help="the tape to read")
    one.add_argument("other", type=path, nargs="?", metavar="TAPE", help="a later tape, to compare with the first")
    one.add_argument(
        "-o", "--output", type=path, required=True, metavar="FILE", help="the file to write; - for standard output"
    )
    one.add_argument(
        "--format",
        choices=("html", "csv", "json", "folded", "speedscope", "pprof"),
        default="html",
        help="html: one self-contained page (default); json: one object per probe, one per line",
    )
    one.add_argument(
        "--from",
        dest="begin",
        type=moment,
        metavar="TIME",
        help="seconds from the tape's start, or HH:MM[:SS] (default: its start)",
    )
    one.add_argument("--to", dest="end", type=moment, metavar="TIME", help="likewise (default: its end)")
    span_options(one)
    one.add_argument("--title", help="the page's title")
    one.add_argument("--force", action="store_true", help="overwrite an existing file")


def _mark(one: argparse.ArgumentParser) -> None:
    one.add_argument("text", metavar="TEXT", help="the text of the mark, at most 4 KiB")


def _triage(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "what",
        type=playbook_or_tape,
        nargs="?",
        default="first-look",
        metavar="PLAYBOOK|TAPE",
        help="the playbook to trace with (default: first-look), or a tape: a path that contains a slash or a dot",
    )
    one.add_argument(
        "--duration", "--for", type=seconds, default=15.0, metavar="S", help="seconds to trace (default: 15)"
    )
    one.add_argument("--json", action="store_true", help="print one JSON object")
    tracing_options(one)


def _schema(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", metavar="NAME", nargs="?", help="the schema to print (default: list them)")


def _mcp(one: argparse.ArgumentParser) -> None:
    budget_option(one, unlimited="")


def _compare(one: argparse.ArgumentParser) -> None:
    one.add_argument("tape", type=path, metavar="TAPE", help="the tape to read")
    one.add_argument("other", type=path, nargs="?", metavar="TAPE", help="the later tape (default: the same tape)")
    span_options(one)
    one.add_argument("--json", action="store_true", help="print one JSON object")


def _explain(one: argparse.ArgumentParser) -> None:
    one.add_argument("log", nargs="?", default="-", metavar="LOG", help="a file, or - for standard input (default: -)")
    one.add_argument("--source", type=path, metavar="FILE", help="the program's C source, to quote lines from")
    one.add_argument("--json", action="store_true", help="print one JSON object per failure, one per line")


def _check(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "folder", type=path, metavar="DIR", help="a probe's folder, a playbook, or a folder that contains playbooks"
    )
    sudo_option(one)


def _new(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--from", dest="origin", metavar="PROBE", help="start from a copy of this probe (default: a small template)"
    )
    one.add_argument("folder", type=path, metavar="DIR", help="the folder to create, such as mine/shop/calls")


def _others(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--interval",
        type=seconds,
        default=1.0,
        metavar="S",
        help="seconds to measure costs for (default: 1)",
    )
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    sudo_option(one)


def _threads(one: argparse.ArgumentParser) -> None:
    one.add_argument("--pid", type=pid, metavar="PID", help="only the threads of this process")
    one.add_argument(
        "--interval",
        type=seconds,
        default=1.0,
        metavar="S",
        help="seconds between the two readings (default: 1)",
    )
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")
    sudo_option(one)


def _doctor(one: argparse.ArgumentParser) -> None:
    one.add_argument("--json", action="store_true", help="print a JSON array of objects")


def _tape(one: argparse.ArgumentParser) -> None:
    actions = one.add_subparsers(title="commands", metavar="COMMAND", dest="action", required=True)
    info = _action(actions, "info", "show host, kernel, time, probes, marks, losses and sizes")
    info.add_argument("tapes", type=path, nargs="+", metavar="TAPE", help="the tapes to read")
    info.add_argument("--json", action="store_true", help="print one JSON object per tape, one per line")

    cut = _action(actions, "cut", "write a part of a tape")
    cut.add_argument("tape", type=path, metavar="TAPE", help="the tape to read")
    at = "seconds, M:SS or H:MM:SS from the tape's start, or the text of a mark"
    cut.add_argument("--from", dest="begin", metavar="TIME", help=f"{at} (default: its start)")
    cut.add_argument("--to", dest="end", metavar="TIME", help="likewise (default: its end)")

    merge = _action(actions, "merge", "merge several tapes of one host into one, in order of time")
    merge.add_argument("tapes", type=path, nargs="+", metavar="TAPE", help="the tapes to read")

    scrub = _action(actions, "scrub", "write a copy to share: pseudonyms replace names, paths, addresses and arguments")
    scrub.add_argument("tape", type=path, metavar="TAPE", help="the tape to read")
    for each in (cut, merge, scrub):
        each.add_argument("-o", "--output", type=path, required=True, metavar="TAPE", help="the tape to write")
        each.add_argument("--force", action="store_true", help="overwrite an existing tape")

    export = _action(actions, "export", "write a tape for other tools: every interval, or the sums of its call stacks")
    export.add_argument("tape", type=path, metavar="TAPE", help="the tape to read")
    export.add_argument(
        "--format",
        choices=(*_FORMATS, "openmetrics"),
        required=True,
        help="as in 'ebpftop run'; openmetrics: what the exporter would have served at each time, for "
        "'promtool tsdb create-blocks-from openmetrics'",
    )
    export.add_argument(
        "-o", "--output", type=path, metavar="FILE", help="the file to write (default: standard output)"
    )
    export.add_argument("--raw", action="store_true", help="csv for programs: text as it is, without a leading '")
    export.add_argument("--force", action="store_true", help="overwrite an existing file")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=_sentence(text))
    return parser


def _completion(one: argparse.ArgumentParser) -> None:
    one.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def _complete(one: argparse.ArgumentParser) -> None:
    one.add_argument("words", nargs="*")


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None] | None]] = {
    "play": ("run a playbook: several probes side by side", _play),
    "list": ("list the catalog and what can run here", _list),
    "show": ("show a probe's C, attach points and documentation", _show),
    "run": ("run one probe without the dashboard; Ctrl-C prints a summary", _run),
    "record": ("record probes to a tape, to replay later or elsewhere", _record),
    "serve": ("trace here for an ebpftop on another machine, whose --host starts this over ssh", _serve),
    "exporter": ("serve metrics of probes to Prometheus, until Ctrl-C", _exporter),
    "replay": ("open a tape in the dashboard; no root, no BPF", _replay),
    "tape": ("inspect, cut, merge, scrub and export tapes; no root", _tape),
    "report": ("write a tape's contents as one HTML page, or as data; no root, no BPF", _report),
    "demo": ("open the bundled tape in the dashboard; no root, no BPF", None),
    "mark": ("mark this moment in your running dashboards and recordings; no root", _mark),
    "triage": (
        "show what stands out, now or on a tape: who, when it began, how certain, and what to run next",
        _triage,
    ),
    "compare": ("compare two tapes, or two spans of one; no root, no BPF", _compare),
    "explain": ("explain a verifier log, from any loader; no root", _explain),
    "check": ("check a probe folder (manifest, lint, compile, verify; nothing is attached) or playbooks", _check),
    "new": ("create a new probe folder", _new),
    "others": ("list every BPF program on the machine with its cost and owner", _others),
    "threads": ("list where every thread is and what it waits for", _threads),
    "doctor": ("test what this machine can trace and suggest fixes", _doctor),
    "schema": ("print the JSON schema of an output, or list all schemas; no root", _schema),
    "mcp": ("serve agents over standard input and output: list, show, run, triage and explain; read-only", _mcp),
    "completion": ("print a shell script that completes commands, probes and parameters", _completion),
}
