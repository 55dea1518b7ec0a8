"""A failure as JSON: the same object from `explain --json` and in the stream of `run --format json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ebpftop.model.failure import Failure
from ebpftop.verifier.diagnosis import Diagnosis
from ebpftop.verifier.report import Event
from ebpftop.verifier.source import Place


def fields(failure: Failure) -> dict[str, Any]:
    """kind, message, program, insn, source, explanation, fix, registers, chain, kernel_report, fault, kernel. For a
    load, these keys are preceded by probe, stage, result, variant, and followed by tried, log.
    """
    diagnosis = failure.diagnosis
    load: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    if failure.probe:
        load = {
            "probe": failure.probe,
            "stage": failure.stage,
            "result": failure.result,
            "variant": failure.variant,
        }
        rest = {
            "tried": [{"variant": one.variant, "reason": one.reason} for one in failure.tried],
            "log": failure.log,
        }
    return (
        load
        | {
            "kind": diagnosis.kind,
            "message": diagnosis.message,
            "program": diagnosis.program,
            "insn": diagnosis.insn,
            "source": _place(failure.source),
            "explanation": diagnosis.explanation,
            "fix": diagnosis.fix,
            "registers": diagnosis.registers,
            "chain": [{"insn": step.insn, "text": step.text, "why": step.why} for step in diagnosis.chain],
            "kernel_report": _report(diagnosis),
            "fault": diagnosis.fault,
            "kernel": diagnosis.kernel,
        }
        | rest
    )


def _place(place: Place | None) -> dict[str, Any] | None:
    return asdict(place) if place else None


def _report(diagnosis: Diagnosis) -> dict[str, Any] | None:
    report = diagnosis.report
    if report is None:
        return None
    return {
        "category": report.category,
        "problem": report.problem,
        "reason": report.reason,
        "at": _event(report.at) if report.at else None,
        "causal_path": [_event(event) for event in report.path],
        "suggestion": report.suggestion,
    }


def _event(event: Event) -> dict[str, Any]:
    return asdict(event)
