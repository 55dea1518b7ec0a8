"""`ebpftop explain`: explains the verifier log of any loader as text or as JSON. It only reads text: no root."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.base.look import look_of
from ebpftop.export.failure_json import fields
from ebpftop.model import failure_text
from ebpftop.model.failure import of_log
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.failures import failures
from ebpftop.verifier.source import Source

LARGEST_SOURCE = 16 << 20  # bytes


def explain(log: str, source: Path | None, *, as_json: bool) -> int:
    """Explain each failure in a file, or for "-" on stdin; returns 0 if one was found and is known, else 1.

    Under sudo, logs are opened and parsed with the rights of the invoker, because anybody may have written them. Raises
    `UserError` for a file that can't be read.
    """
    _give_up_root()
    quoted = _source(source) if source else None
    if log == "-":
        if sys.stdin.isatty():
            print("ebpftop: reading the log from the terminal; Ctrl-D ends it", file=sys.stderr)
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stream:  # data as they arrive
            return _explain(stream, "standard input", quoted, as_json=as_json)
    try:
        stream = open(log, "rb", buffering=0)  # noqa: SIM115 - closed below
    except (OSError, ValueError) as error:
        raise _unreadable(log, error) from None
    with stream:
        return _explain(stream, log, quoted, as_json=as_json)


def _give_up_root() -> None:
    if os.geteuid() == 0 and "SUDO_UID" in os.environ:
        from ebpftop.supervisor import privilege

        if who := privilege.invoker():
            privilege.drop(who)


def _explain(stream: BinaryIO, name: str, source: Source | None, *, as_json: bool) -> int:
    known = False
    look = look_of(sys.stdout)
    for number, diagnosis in enumerate(_failures(stream, name, source)):
        if as_json:
            print(json.dumps(fields(of_log(diagnosis))), flush=True)
        else:
            print("\n" * (number > 0) + failure_text.as_text(of_log(diagnosis), look), flush=True)
        known = known or diagnosis.known
    return 0 if known else 1


def _failures(stream: BinaryIO, name: str, source: Source | None) -> Iterator[Diagnosis]:
    found = failures(stream, source)
    while True:
        try:
            diagnosis = next(found)
        except StopIteration:
            return
        except OSError as error:  # only from reading; errors of writing are reported elsewhere
            raise _unreadable(name, error) from None
        yield diagnosis


def _source(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_SOURCE)
    except (OSError, ValueError) as error:
        raise _unreadable(str(path), error) from None
    return Source(str(path), text.decode(errors="replace"))


def _unreadable(name: str, error: OSError | ValueError) -> UserError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return UserError(f"{inert(name)}: {reason}")
