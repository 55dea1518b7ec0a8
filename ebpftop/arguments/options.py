"""Options shared by several commands."""

from __future__ import annotations

import argparse

from ebpftop.base.argument_types import assignment, path, percent, seconds, size, span, whole


def span_options(command: argparse.ArgumentParser) -> None:
    """Add the options for two spans to compare."""
    for name, what in (("a", "before"), ("b", "after")):
        command.add_argument(
            f"--{name}",
            type=span,
            default=(None, None),
            metavar="FROM..TO",
            help=f"the '{what}' span: 10:00:00..10:00:30, or seconds from the tape's start (default: the whole tape)",
        )
    command.add_argument(
        "--by", default="", metavar="DIMENSION", help="sum rows by this dimension: name, user, cgroup, …"
    )


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


def budget_option(
    command: argparse.ArgumentParser, default: object = argparse.SUPPRESS, unlimited: str = "; 0: no limit"
) -> None:
    command.add_argument(
        "--budget",
        type=percent,
        default=default,
        metavar="PERCENT",
        help="detach the costliest probe when all probes together take more than this share of one CPU over 5 s "
        f"(default: 25{unlimited})",
    )


def folder_option(command: argparse.ArgumentParser, dest: str = "probes") -> None:
    command.add_argument(
        "--probes",
        type=path,
        action="append",
        dest=dest,
        default=[],
        metavar="DIR",
        help="a folder of probes to add to the bundled ones",
    )


def when_options(command: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Add options that are accepted before and after the command: only those before it have defaults."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    group = command.add_argument_group("triggers")
    group.add_argument(
        "--when",
        action="append",
        default=default([]),
        metavar="TRIGGER",
        help="set a mark when this holds, once per episode: 'runqlat p99 > 20ms for 3s', 'syscount rate > 100k/s', "
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
        help="seconds to save before the mark (default: 60)",
    )
    group.add_argument(
        "--after",
        type=seconds,
        default=default(10.0),
        metavar="S",
        help="seconds to save after the mark (default: 10)",
    )
    group.add_argument(
        "--keep-tapes",
        type=whole,
        default=default(50),
        metavar="N",
        help="keep only the newest N tapes (default: 50)",
    )
    group.add_argument(
        "--keep-bytes",
        type=size,
        default=default(1 << 30),
        metavar="SIZE",
        help="keep at most this many bytes of tapes (default: 1GiB)",
    )


def host_options(command: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Add options that are accepted before and after the command, like those of triggers."""
    group = command.add_argument_group("hosts")
    group.add_argument(
        "--host",
        action="append",
        dest="hosts",
        default=[] if top else argparse.SUPPRESS,
        metavar="HOST",
        help="trace this host over ssh, such as web-1 or admin@web-2; ebpftop must be installed there; "
        "repeat it to trace several hosts at once; 'local' is this machine",
    )
    group.add_argument(
        "--ssh",
        default="ssh" if top else argparse.SUPPRESS,
        metavar="COMMAND",
        help="the ssh command, with options (default: ssh)",
    )
