"""The command line. Exit codes: 0 success, 1 failure, 2 usage error, 3 impossible on this machine or for this user."""

from __future__ import annotations

import os
import signal
import sys

from ebpftop.arguments import parser
from ebpftop.base import streams
from ebpftop.base.errors import UsageError, UserError

TYPE_CHECKING = False  # `typing` would take a tenth of the time of --help
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn


_ON_FILES = ("new", "list", "show", "replay", "demo", "tape", "report", "compare", "explain", "mark")
_WITH_SETTINGS = (None, "play", "run", "record", "triage", "list", "show", "replay", "demo")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its status."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run one command; returns its exit status."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what a caller blocked would neither end us nor our children
        streams.prepare()
        os.umask(os.umask(0) & 0o077)  # it may keep others from what we make, but not us
        status = _obey(argv)
        sys.stdout.flush()  # report write errors here, not when the interpreter exits
        return status
    except UserError as error:
        from ebpftop.base.inert import inert_lines

        print(f"ebpftop: {inert_lines(str(error))}", file=sys.stderr)
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
    from ebpftop.base.lean import lean

    lean("msgspec", "typing_extensions")  # takes from it what `typing` has since 3.11, and half of its time

    arguments.probes = [*arguments.probes_before, *getattr(arguments, "probes", [])]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # otherwise NumPy starts a thread per CPU that we don't need
    if arguments.user_env:
        from ebpftop.supervisor.elevate import CARRIED

        os.environ.update(entry for entry in arguments.user_env if entry[0] in CARRIED)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # where a file system doesn't answer, a handler of ours would never run
        signal.signal(signal.SIGINT, signal.SIG_DFL if arguments.command in _ON_FILES else signal.default_int_handler)
    if arguments.command in _WITH_SETTINGS:
        from ebpftop.commands import settings

        settings.apply(arguments)
    return _run(arguments, argv)


def _run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run a command. Its module is imported only then: `ebpftop --version` is fast, and root imports little."""
    if arguments.hosts and arguments.command not in (None, "play", "run", "record"):
        raise UsageError(f"--host works with the dashboard, play, run and record, not with {arguments.command}")
    match arguments.command:
        case "list" | "show" | "new":
            from ebpftop.commands import catalog

            return {"list": catalog.list_probes, "show": catalog.show, "new": catalog.new}[arguments.command](arguments)
        case "replay" | "demo":
            from ebpftop.commands import tape

            return tape.replay(arguments) if arguments.command == "replay" else tape.demo(arguments)
        case "tape":
            from ebpftop.commands import tapes

            return tapes.tape(arguments)
        case "report":
            from ebpftop.commands import report

            return report.report(arguments)
        case "compare":
            from ebpftop.commands import compare

            return compare.compare(arguments)
        case "triage" if not isinstance(arguments.what, str):
            from ebpftop.commands import triage

            return triage.triage(arguments)
        case "schema":
            from ebpftop.commands import schema

            return schema.schema(arguments.name)
        case "mcp":
            from ebpftop.commands import mcp

            return mcp.mcp(arguments)
        case "explain":
            from ebpftop.commands import explain

            return explain.explain(arguments.log, arguments.source, as_json=arguments.json)
        case "doctor":
            from ebpftop.commands import doctor

            return doctor.doctor(as_json=arguments.json)
        case "completion":
            from ebpftop.commands import completing

            return completing.script(arguments)
        case "complete":
            from ebpftop.commands import completing

            return completing.complete(parser(), arguments.words)
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
        case "serve":
            from ebpftop.commands import stdio

            return stdio.serve(arguments, argv)
        case "exporter" if arguments.rules or arguments.dashboard:
            from ebpftop.commands import scraping

            return scraping.generated(arguments)
        case command:
            from ebpftop.commands import tracing

            traced = {
                "play": tracing.play,
                "run": tracing.run,
                "record": tracing.record,
                "exporter": tracing.exporter,
                "triage": tracing.triage,
            }
            return traced.get(command, tracing.dashboard)(arguments, argv)
