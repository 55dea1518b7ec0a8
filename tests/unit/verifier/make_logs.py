"""Make logs/ again: load each of programs/, which the verifier refuses, and keep what it says and the table of lines.

    sudo .venv/bin/python tests/unit/verifier/make_logs.py

`// here` marks the line an author should be shown. The files in the repository come from Linux 6.18 and BCC 0.26;
another kernel words some complaints differently, or accepts a program.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]

from support.bcc_child import CGROUP_SYSCTL, RAW_TRACEPOINT, TRACEPOINT, compile_and_load  # noqa: E402

from ebpftop.verifier import lines  # noqa: E402

KINDS = {"return-value": CGROUP_SYSCTL, "context-unaligned": TRACEPOINT}
KEPT = 12_000  # bytes of a long log: its beginning and its end


def shortened(log: str) -> str:
    """The log, its middle cut out at line ends if it is long, without the addresses that differ from run to run."""
    log = re.sub(r"0xffff[0-9a-f]{12}", "0xffff888100000000", log)
    if len(log) <= KEPT:
        return log
    return log[: log.index("\n", KEPT // 4) + 1] + log[log.index("\n", len(log) - KEPT // 2) + 1 :]


def main() -> None:
    tables: dict[str, dict[int, int]] = {}
    for program in sorted((HERE / "programs").glob("*.c")):
        result = compile_and_load(lines.mark(program.read_text()), KINDS.get(program.stem, RAW_TRACEPOINT))
        if not result.errno:
            print(f"{program.stem}: not refused\n{result.output}")
            continue
        (HERE / "logs" / f"{program.stem}.txt").write_text(shortened(result.log))
        tables[program.stem] = shortest(lines.lines_of(result.output).get("f", {}))
        print(f"{program.stem}: {os.strerror(result.errno)}")
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(table)}" for name, table in tables.items())
    (HERE / "logs" / "lines.json").write_text(f"{{\n{rows}\n}}\n")


def shortest(table: dict[int, int]) -> dict[int, int]:
    """Only the instructions where another line begins."""
    kept: dict[int, int] = {}
    for insn, line in sorted(table.items()):
        if not kept or list(kept.values())[-1] != line:
            kept[insn] = line
    return kept


if __name__ == "__main__":
    main()
