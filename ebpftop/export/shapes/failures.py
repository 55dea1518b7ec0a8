"""What 'ebpftop explain' prints; a line of a stream may hold it, too."""

from __future__ import annotations

import msgspec

from ebpftop.export.shapes.base import Shape, Whole


class Source(Shape):
    """A line of C; file and line are null if the log has none."""

    file: str | None
    line: Whole | None
    text: str


class Step(Shape):
    """What led to a failure; the last one is the rejected instruction."""

    insn: Whole | None
    text: str
    why: str


class ReportEvent(Shape):
    """A place that the kernel's own report points at."""

    insn: Whole | None
    text: str
    file: str
    line: Whole | None
    source: str
    said: str


class KernelReport(Shape):
    """The kernel's own report of a failure, where it writes one."""

    category: str
    problem: str
    reason: str
    at: ReportEvent | None
    causal_path: list[ReportEvent]
    suggestion: str


class Tried(Shape):
    """A variant that was passed over."""

    variant: str
    reason: str


class Failure(Shape):
    """A program that the verifier rejected, or a probe that could not be loaded; only the latter has all keys."""

    kind: str
    message: str
    program: str
    insn: Whole | None
    source: Source | None
    explanation: str
    fix: str | None
    registers: dict[str, str]
    chain: list[Step]
    kernel_report: KernelReport | None
    fault: str
    kernel: str
    probe: str | msgspec.UnsetType = msgspec.UNSET
    stage: str | msgspec.UnsetType = msgspec.UNSET
    result: str | msgspec.UnsetType = msgspec.UNSET
    variant: str | msgspec.UnsetType | None = msgspec.UNSET
    tried: list[Tried] | msgspec.UnsetType = msgspec.UNSET
    log: str | msgspec.UnsetType = msgspec.UNSET
