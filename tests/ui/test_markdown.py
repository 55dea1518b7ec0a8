"""A README as it is shown: blocks, what stands in a line, and nothing that does anything."""

from __future__ import annotations

import pytest

from ebpftop.catalog import folders
from ebpftop.ui.drawing.markdown import rendered

TEXT = """# Run *queue* latency

**When to use it.** Programs feel
slow, and `runqlat` tells [why](https://example.org).
## How
- one `x`
  goes on
- two
1. first

    int x;

        return x;

```sh
# no heading
  ebpftop run
```
| a | what it is |
|---|:--|
| `bb` | c |
"""


def test_blocks_are_told_apart_and_paragraphs_joined() -> None:
    assert rendered(TEXT).plain.split("\n") == [
        "Run queue latency",
        "",
        "When to use it. Programs feel slow, and runqlat tells why.",
        "",
        "How",
        "",
        "• one x goes on",
        "• two",
        "1. first",
        "",
        "    int x;",
        "",
        "        return x;",
        "",
        "    # no heading",
        "      ebpftop run",
        "",
        "a   what it is",
        "bb  c",
    ]


def test_bold_code_and_headings_are_styled() -> None:
    content = rendered("# Head\n\nA **b** and `c`, but snake_case_name and 2 * 3 * 4.")
    looks = {content.plain[span.start : span.end]: str(span.style) for span in content.spans}
    assert looks == {"Head": "bold $primary", "b": "bold", "c": "$secondary"}


@pytest.mark.parametrize(
    "text", ["\x1b[2J[bold]x[/]", "`\x1b]0;x\x07`", "    \x9b1m", "| \x1b[1m | b |\n|--|--|", "- \u202e"]
)
def test_hostile_text_is_inert(text: str) -> None:
    content = rendered(text)
    assert all(c.isprintable() or c == "\n" for c in content.plain)
    assert {str(span.style) for span in content.spans} <= {"$secondary", "$quiet", "bold"}


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "```", "|", "- ", "**", "`", "# ", "1) x", "    ", "|" + "-" * 9999 + "x", "|a|\n|-|-|-|\n|b|c|d|"],
)
def test_anything_can_be_rendered(text: str) -> None:
    rendered(text)


def test_every_bundled_readme_is_rendered_without_marks_left() -> None:
    for probe in folders.read_catalog().probes.values():
        prose = [line for line in rendered(probe.readme).plain.split("\n") if not line.startswith("    ")]
        assert not any("**" in line or "`" in line or line.startswith("#") for line in prose), probe.id
