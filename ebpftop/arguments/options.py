"""Options that several commands have."""

from __future__ import annotations

import argparse

from ebpftop.base.argument_types import assignment, path, percent, seconds, size, span, whole


def span_options(command: argparse.ArgumentParser) -> None:
    """Two spans that are compared."""
    for name, what in (("a", "before"), ("b", "after")):
        command.add_argument(
            f"--{name}",
            type=span,
            default=(None, None),
            metavar="FROM..TO",
            help=f"the span {what}, as 10:00:00..10:00:30 or in seconds of the tape (default: the whole tape)",
        )
    command.add_argument("--by", default="", metavar="DIMENSION", help="sum the rows by it: name, user, cgroup, …")


def param_option(
    command: argparse.ArgumentParser, help_text: str = "applies to every probe that has this parameter"
) -> None:
    command.add_argument(
        "-p", "--param", type=assignment, action="append", default=[], metavar="NAME=VALUE", help=help_text
    )


def tracing_options(command: argparse.ArgumentParser) -> None:
    budget_option(command)
    sudo_option(command)
    folder_option(command)


def sudo_option(command: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    help_text = "do not restart under sudo when root is needed"
    command.add_argument("--no-sudo", action="store_true", default=default, help=help_text)


def budget_option(command: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    command.add_argument(
        "--budget",
        type=percent,
        default=default,
        metavar="PERCENT",
        help="detach the costliest probe when all take more of one CPU over 5 s (default: 25; 0: no limit)",
    )


def folder_option(command: argparse.ArgumentParser, dest: str = "probes") -> None:
    command.add_argument(
        "--probes",
        type=path,
        action="append",
        dest=dest,
        default=[],
        metavar="DIR",
        help="a folder of probes, in addition to the bundled ones",
    )


def when_options(command: argparse.ArgumentParser, *, top: bool = False) -> None:
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
        "--save",
        type=path,
        default=default(None),
        metavar="DIR",
        help="write a tape of each episode to this folder",
    )
    group.add_argument(
        "--before",
        type=seconds,
        default=default(60.0),
        metavar="S",
        help="seconds before it (default: 60)",
    )
    group.add_argument(
        "--after",
        type=seconds,
        default=default(10.0),
        metavar="S",
        help="seconds after it (default: 10)",
    )
    group.add_argument(
        "--keep-tapes",
        type=whole,
        default=default(50),
        metavar="N",
        help="tapes that stay, the newest (default: 50)",
    )
    group.add_argument(
        "--keep-bytes",
        type=size,
        default=default(1 << 30),
        metavar="SIZE",
        help="bytes that they take at most (default: 1GiB)",
    )


def host_options(command: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Accepted before and after the command, as those of triggers."""
    group = command.add_argument_group("hosts")
    group.add_argument(
        "--host",
        action="append",
        dest="hosts",
        default=[] if top else argparse.SUPPRESS,
        metavar="HOST",
        help="trace on this host over ssh, where ebpftop is installed too, as web-1 or admin@web-2; "
        "several times: all of them at once; 'local' is this machine",
    )
    group.add_argument(
        "--ssh",
        default="ssh" if top else argparse.SUPPRESS,
        metavar="COMMAND",
        help="the ssh to use, with options (default: ssh)",
    )
