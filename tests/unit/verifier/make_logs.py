"""Make logs/ again: load each of programs/, which the verifier rejects, and keep its log and the table of lines.

    sudo .venv/bin/python tests/unit/verifier/make_logs.py                # on the running kernel
    sudo .venv/bin/python tests/unit/verifier/make_logs.py --guest 6.1    # on an emulated one
    … NAME…                                                               # only these programs

corpus.toml holds how each is loaded, and what its explanation must contain. `// here` marks the line to show to the
author. Compiled with BCC 0.26, a program has the same instructions on every kernel, so there is one table of lines.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from load import How, Loaded, load

from ebpftop.catalog.numbering import mark
from ebpftop.loader.listing import lines_of
from ebpftop.verifier import lines
from tests.kernels import guest, images
from tests.kernels.__main__ import CACHE
from tests.kernels.matrix import series

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
LOGS = HERE / "logs"
KEPT = 12_000  # bytes of a long log: its beginning and its end
_ADDRESS = re.compile(r"(\(18\) r\d+ = )0xffff[0-9a-f]{12}\b")  # of a map
_QUOTED = re.compile(r"^;.*?( @ main\.c:(?P<line>\d+))?$", re.MULTILINE)
_SHOWN = re.compile(r"^(\d+): \(", re.MULTILINE)
_NUMBER = re.compile(r"(?<=^;)(.*) @ main\.c:\d+$", re.MULTILINE)


def main() -> int:
    """Load the programs here or in a guest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these programs")
    parser.add_argument("--guest", metavar="VERSION", help="on this kernel, emulated")
    parser.add_argument("--into", type=Path, default=LOGS, metavar="FOLDER", help="instead of logs/")
    arguments = parser.parse_args()
    if arguments.guest:
        return emulated(arguments.guest, arguments.into, arguments.names)
    return here(arguments.into, arguments.names)


def here(into: Path, names: list[str]) -> int:
    """Load on the running kernel; logs to into/SERIES, the table to into/lines.json."""
    kernel = series(platform.release())
    folder = into / kernel
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, dict[str, int]] = json.loads((LOGS / "lines.json").read_text())
    programs = tomllib.loads((HERE / "corpus.toml").read_text())
    for name, program in programs.items():
        if (names and name not in names) or kernel in program.get("dangerous", []):
            continue
        source = (HERE / "programs" / f"{name}.c").read_text()
        how = How(**{key: program[key] for key in How._fields if key in program})
        result = load(mark(source), program.get("type", "raw_tracepoint"), how)
        log = folder / f"{name}.txt"
        log.unlink(missing_ok=True)
        print(f"{name}: {outcome(result)}", flush=True)
        if result.errno:
            known = {int(insn): line for insn, line in tables.get(name, {}).items()}
            table = {**(numbered(result.log) or known), **lines_of(result.output).get("f", {})}
            tables[name] = {str(insn): line for insn, line in shortest(table).items()}
            log.write_text(shortened(quoted(result.log, table, source.replace(" // here", ""))))
    write(into / "lines.json", tables)
    return 0


def write(file: Path, tables: dict[str, dict[str, int]]) -> None:
    """A line a program."""
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(table)}" for name, table in sorted(tables.items()))
    file.write_text(f"{{\n{rows}\n}}\n")


def outcome(result: Loaded) -> str:
    """In words: refused, accepted, absent here, not compiled."""
    if result.absent:
        return f"absent: this kernel has no {result.absent}"
    if result.errno is None:
        return f"not compiled\n{result.output}"
    return os.strerror(result.errno) if result.errno else "accepted"


def numbered(log: str) -> dict[int, int]:
    """{instruction: line} of what the log quotes by number (6.1 doesn't yet); of subprograms too, unlike BCC."""
    table: dict[int, int] = {}
    line = 0
    for row in log.split("\n"):
        if (quote := _QUOTED.match(row)) and quote["line"]:
            line = int(quote["line"])
        elif line and (shown := _SHOWN.match(row)):
            table.setdefault(int(shown[1]), line)
    return table


def quoted(log: str, table: dict[int, int], source: str) -> str:
    """The log with the author's lines quoted, as if BCC had not rewritten them, in the kernel's own style.

    A log without quotes stays so: where the kernel answers EINVAL, BCC tries again without lines and keeps that log.
    """
    quotes = _QUOTED.findall(log)
    if not quotes:
        return log
    log = lines.quote(log, lines.quotes(table, source, "main.c"))
    return log if any(number for number, _ in quotes) else _NUMBER.sub(r"\1", log)


def shortened(log: str) -> str:
    """The log, its middle cut out at line ends if it is long, without the addresses that differ from run to run."""
    log = _ADDRESS.sub(r"\g<1>0xffff888100000000", log)
    if len(log) <= KEPT:
        return log
    return log[: log.index("\n", KEPT // 4) + 1] + log[log.index("\n", len(log) - KEPT // 2) + 1 :]


def shortest(table: dict[int, int]) -> dict[int, int]:
    """Only the instructions where another line begins."""
    kept: dict[int, int] = {}
    for insn, line in sorted(table.items()):
        if not kept or list(kept.values())[-1] != line:
            kept[insn] = line
    return kept


def emulated(version: str, into: Path, names: list[str]) -> int:
    """The same in a guest, which sees this file system and writes to a folder shared with it."""
    image = images.image(version, CACHE)
    with tempfile.TemporaryDirectory(prefix="ebpftop-logs-") as temporary:
        out = Path(temporary)
        disk = out / "disk"
        disk.touch()
        os.truncate(disk, 1 << 20)
        script = out / "script"
        script.write_text(_SCRIPT)
        # vng's own arguments are those of the kernel matrix
        command = [*guest.vng(image, out, disk), "--", "sh", str(script), str(out), str(CHECKOUT), *names]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        console = subprocess.run(
            command, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        told = out / "told"
        print(told.read_text() if told.exists() else console.stdout.decode(errors="replace")[-3000:])
        if not (out / "logs/lines.json").exists():
            return 1
        for log in (out / "logs").glob("*/*.txt"):
            (into / log.parent.name).mkdir(exist_ok=True)
            shutil.copy(log, into / log.parent.name)
        # the running kernel's tables know more than that of one which quotes lines without their numbers
        tables = [json.loads((folder / "lines.json").read_text()) for folder in (out / "logs", into)]
        write(into / "lines.json", tables[0] | tables[1])
        return 0


# The host's root once more, cached, as virtme-ng's own mount asks the host again for every read.
_SCRIPT = """\
set -eu
out=$1 checkout=$2
shift 2
mkdir -p /run/lower
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /run/lower
for each in proc sys dev run; do mount --rbind "/$each" "/run/lower/$each"; done
mount -t tmpfs tmpfs /run/lower/tmp
mkdir /run/lower/tmp/out
mount --bind "$out" /run/lower/tmp/out
exec chroot /run/lower "$checkout/.venv/bin/python" -B "$checkout/tests/unit/verifier/make_logs.py" \\
    --into /tmp/out/logs "$@" >"$out/told" 2>&1
"""


if __name__ == "__main__":
    sys.exit(main())
