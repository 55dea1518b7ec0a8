"""What an output may hold, whatever came in: each rule says in words as what a text comes out."""

from __future__ import annotations

import csv
import json
import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.page_reader import Report

FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


def inert(text: str) -> str:
    found = {c for c in text if not c.isprintable() and c != "\n"}
    assert not found, f"characters that do something: {found}"
    return "what isn't printable is written as an escape"


def records(text: str) -> str:
    return inert(text.replace("\t", "")) + "; tabs only between fields"


def coloured(text: str) -> str:
    return inert(re.sub(r"\x1b\[(?:0|1|2|31|32|33|1;31|1;33)m", "", text)) + "; no colours but ours"


def in_json(text: str) -> str:
    assert text.isascii()
    for line in text.splitlines() if text.count("\n") > 1 and text.startswith('{"') else [text]:
        json.loads(line)
    return inert(text) and "itself, in JSON that is ASCII"


def in_csv(text: str) -> str:
    inert(text)
    for row in csv.reader(line for line in text.splitlines() if not line.startswith("#")):
        for cell in row:
            assert not cell.lstrip(" ").startswith(FORMULA) or re.fullmatch(r"-?\d+(\.\d+)?", cell), cell
    return "one inert cell; a formula has ' in front"


def folded(text: str) -> str:
    inert(text)
    assert all(line.startswith("#") or re.fullmatch(r".*\S \d+", line) for line in text.splitlines())
    return "an inert name without separators"


def page(text: str) -> str:
    inert(text)
    read = Report(text)
    names = [name for name, _ in read.elements]
    assert not read.open
    assert names.count("script") == 1
    assert "img" not in names
    assert not any(key.startswith("on") for _, given in read.elements for key in given)
    assert all(given["href"].startswith("#") for _, given in read.elements if "href" in given)
    return "escaped and inert; no element, attribute or link"


def metrics(text: str) -> str:
    inert(text)
    assert list(text_string_to_metric_families(text))
    return "a quoted, inert label"


def timed(text: str) -> str:
    """The last moment of each series, as a scrape of then; the parser takes no histograms of several moments."""
    inert(text)
    lines = text.splitlines()
    last = max(line.rpartition(" ")[2] for line in lines if not line.startswith("#"))
    kept = (line.removesuffix(f" {last}") for line in lines if line.startswith("#") or line.endswith(f" {last}"))
    return metrics("\n".join(kept) + "\n")


def in_inert_json(text: str) -> str:
    json.loads(text)
    return inert(text) and "in JSON, with what isn't printable as an escape"


def terminal(text: str) -> str:
    """Bytes to a terminal: sequences that Textual and its driver write, and nothing else that isn't printable."""
    assert not re.search(r"[\x1b\x9b]\[?[?>]?(?:4242|77;77H)", text), "a sequence of a hostile text"
    text = text.replace("\x1b]22;default\x07", "")  # the shape of the mouse's pointer
    assert not re.search(r"\x1b[\]P_^Xk]", text), "a title, a clipboard, or a string of a device"
    left = re.sub(r"\x1b(?:\[[0-9;:?<>=]*[ $]?[A-Za-z@`~]|[78=>])", "", text)
    return inert(left.replace("\r", "")) and "what isn't printable is written as an escape; no sequences but Textual's"
