"""Speedscope's requirements on a file: the part of its published JSON schema for a sampled profile, and the additional
checks of its importer (`samples` and `weights` of one length, frames that exist).

https://www.speedscope.app/file-format-schema.json
"""

from __future__ import annotations

from typing import Any

UNITS = ("bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds")


def check(file: Any) -> None:
    """Raise `AssertionError` if speedscope could not read the file."""
    _object(file, {"$schema": str, "shared": dict, "profiles": list}, name=str, activeProfileIndex=int, exporter=str)
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    _object(file["shared"], {"frames": list})
    for frame in file["shared"]["frames"]:
        _object(frame, {"name": str}, file=str, line=int, col=int)
    for profile in file["profiles"]:
        _sampled(profile, len(file["shared"]["frames"]))
    assert 0 <= file.get("activeProfileIndex", 0) < len(file["profiles"])


def _sampled(profile: Any, frames: int) -> None:
    numbers = {"startValue": (int, float), "endValue": (int, float)}
    _object(profile, {"type": str, "name": str, "unit": str, **numbers, "samples": list, "weights": list})
    assert profile["type"] == "sampled"
    assert profile["unit"] in UNITS
    assert len(profile["samples"]) == len(profile["weights"])
    assert all(isinstance(weight, int | float) for weight in profile["weights"])
    for sample in profile["samples"]:
        assert isinstance(sample, list)
        assert all(isinstance(frame, int) and 0 <= frame < frames for frame in sample)
    assert profile["endValue"] - profile["startValue"] >= sum(profile["weights"])


def _object(value: Any, required: dict[str, Any], **optional: Any) -> None:
    assert isinstance(value, dict)
    assert required.keys() <= value.keys(), f"missing: {required.keys() - value.keys()}"
    for name, kind in {**required, **optional}.items():
        assert name not in value or isinstance(value[name], kind), f"{name} is {value[name]!r}"
