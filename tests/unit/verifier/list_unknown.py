"""Lists the messages of a kernel's verifier that no rule recognises; run it on the source of a new kernel.

    .venv/bin/python tests/unit/verifier/list_unknown.py LINUX_SOURCE

LINUX_SOURCE is an unpacked kernel. Each line is a place and a format. Some aren't error messages: parts of one that the
kernel assembles, states, statistics. The rest deserves a rule, and a line in messages.tsv.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from ebpftop.verifier.rules import recognise

TALKING = {"disasm.c", "log.c", "backtrack.c"}  # they tell of instructions and states
COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
CALL = re.compile(r"\b(verbose|verbose_linfo|bpf_log|btf_verifier_log\w*|__btf_verifier_log|verifier_bug\w*)\(")
TEXT = re.compile(r'"(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*')
PART = re.compile(r'"((?:\\.|[^"\\])*)"')
CONVERSION = re.compile(r"%[-+#0 ]*\d*(?:ll|l|z)?([a-zA-Z])")
NAMES = ("name", "R2", "bpf_spin", "kptr", "dynptr", "fp", " read from", "value ")
# What comes before the text of messages about types.
BEFORE = {"type": "[1] INT int ", "basic": "[1] INT int ", "member": "x type_id=1 ", "vsi": "type_id=1 "}


def formats(source: str) -> Iterator[tuple[int, str]]:
    """(line, format) of each message in a C file, the literals of one format joined."""
    code = COMMENT.sub(lambda found: found[1] or "\n" * found[0].count("\n"), source)
    for call in CALL.finditer(code):
        end = code.find(");", call.end())
        if text := TEXT.search(code, call.end(), end):
            prefix = "verifier bug: " if call[1].startswith("verifier_bug") else BEFORE.get(call[1].split("_")[-1], "")
            yield code.count("\n", 0, call.start()) + 1, prefix + "".join(PART.findall(text[0]))


def known(text: str) -> bool:
    """Whether a format is recognised with one of the things that may stand for its names."""
    line = text.split("\\n")[0].replace('\\"', '"').replace("\\t", "")
    return any(
        recognise(CONVERSION.sub(lambda found, name=name: name if found[1] == "s" else "7", line)) for name in NAMES
    )


def main() -> None:
    for path in sorted(Path(sys.argv[1], "kernel/bpf").glob("*.c")):
        if path.name not in TALKING:
            for line, text in formats(path.read_text(errors="replace")):
                if re.search(r"[a-z]{2} [a-z]", text) and not known(text):
                    print(f"{path.name}:{line}\t{text}")


if __name__ == "__main__":
    main()
