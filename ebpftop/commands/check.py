"""`ebpftop check DIR`: checks manifest and lint as text, then a loader compiles and verifies each variant without
attaching anything. Playbooks are only checked as text.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from functools import partial
from pathlib import Path

import msgspec

from ebpftop.base.errors import UserError
from ebpftop.base.inert import inert
from ebpftop.base.look import look_of
from ebpftop.base.nearest import nearest
from ebpftop.base.readable import readable
from ebpftop.catalog import folders, lint, params
from ebpftop.catalog.document import BadManifest, Document
from ebpftop.catalog.files import MANIFEST
from ebpftop.catalog.manifest import read_probe
from ebpftop.catalog.model import Probe
from ebpftop.catalog.playbook import FOLDER as PLAYBOOKS
from ebpftop.catalog.playbook import SUFFIX, faults, read_playbook
from ebpftop.commands import root
from ebpftop.frames.messages import Attached, Failed, Stage
from ebpftop.handover import protocol, transport
from ebpftop.kernel import points, tracefs
from ebpftop.loader import load
from ebpftop.supervisor import privilege
from ebpftop.supervisor.tasks import Tasks


def check(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Check a probe folder without attaching it, or playbooks. Errors in the text are found without root."""
    with privilege.invokers_rights():
        files = playbook_files(arguments.folder)
        probe = None if files else read(arguments.folder)
    if probe is None:
        return playbooks(files)
    root.become(arguments, argv)
    return variants(probe, folders.includes(), root.bcc())


def read(folder: Path) -> Probe:
    """The probe in this folder, after its manifest and C have passed the checks. Raises `UserError` with a line for
    each finding.
    """
    folder = folder.resolve()
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    if MANIFEST not in names:
        inside = next((f", such as {folder / name}" for name in names if os.path.lexists(folder / name / MANIFEST)), "")
        raise UserError(f"{folder} has no {MANIFEST}: give the folder of one probe{inside}")
    try:
        probe = read_probe(folder, f"{folder.parent.name}/{folder.name}")
    except BadManifest as error:
        raise UserError("\n".join(error.problems)) from None
    if findings := lint.lint(probe):
        raise UserError("\n".join(findings))
    return probe


def playbook_files(path: Path) -> list[Path]:
    """The playbooks that a path refers to: a single one, a folder of playbooks, or a folder of probes with a playbooks
    folder.
    """
    if path.suffix == SUFFIX and path.name != MANIFEST:
        return [path]
    if os.path.lexists(path / MANIFEST):
        return []
    return folders.playbook_files(path / PLAYBOOKS) or folders.playbook_files(path)


def playbooks(files: list[Path]) -> int:
    """Check playbooks against the catalog and the probes beside them; 0 if nothing is wrong. Raises `UserError`."""
    beside = {file.resolve().parent.parent for file in files} - {folders.bundled()}
    probes = folders.read_catalog(sorted(beside), rights=privilege.invokers_rights).probes
    problems: list[str] = []
    for file in files:
        try:
            with privilege.invokers_rights():
                playbook = read_playbook(file)
        except BadManifest as error:
            problems += error.problems
            continue
        if found := faults(playbook, probes):
            problems += found
        else:
            print(f"{inert(playbook.info.name)}: well-formed; probes found in the catalog: {len(playbook.info.steps)}")
    if problems:
        raise UserError("\n".join(problems))
    return 0


def variants(probe: Probe, includes: dict[str, str], bcc: Path) -> int:
    """Compile and verify every variant that this kernel can attach; 0 if none was rejected."""
    with contextlib.suppress(OSError):  # without tracefs, classic tracepoints can't be checked before loading
        tracefs.private_mounts()
        tracefs.mount_private()
    unknown = _points_of_no_kernel(probe)
    if len(unknown) == len(probe.variants):
        raise UserError("\n".join(unknown.values()))
    print(f"{probe.id}: the manifest is well-formed and the lint found nothing")
    outcomes = [
        (variant.name, _try(msgspec.structs.replace(probe, variants=(variant,)), includes, bcc))
        for variant in probe.variants
    ]
    privilege.drop(privilege.invoker())  # logs are untrusted text: root reads none of them
    return max(_print_outcome(probe.id, name, outcome, unknown.get(name, "")) for name, outcome in outcomes)


def _print_outcome(probe: str, variant: str, outcome: Attached | Failed, unknown: str) -> int:
    """Print the outcome; returns the exit status. unknown: an attach point that no kernel is known to have."""
    if isinstance(outcome, Attached):
        size = f"{outcome.instructions:,} instructions, maps of at most {outcome.map_bytes / 2**20:.1f} MiB"
        print(f"{variant}: verified; {size}")
        return 0
    if outcome.stage == "attach":
        print(f"{variant}: unavailable: {unknown or inert(outcome.error)}")
        return 0
    from ebpftop.model import failure_text
    from ebpftop.model.failure import explain

    failure = explain(probe, outcome)
    source = failure.source
    where = f"{source.file}:{source.line}: " if source and source.line is not None else ""
    title = f"{variant}: {failure.result}: {where}{failure.message}"
    print(failure_text.as_text(failure, look_of(sys.stdout), title=title))
    print(failure.log, file=sys.stderr)
    return 1


def _points_of_no_kernel(probe: Probe) -> dict[str, str]:
    """For each variant whose attach point neither this kernel nor the bundled catalog knows, a line about that
    point.
    """
    catalog = folders.read_catalog().probes.values()
    known = {point.target for other in catalog for variant in other.variants for point in variant.attach}
    document = Document(str(probe.folder / MANIFEST), probe.manifest)
    found: dict[str, str] = {}
    for i, variant in enumerate(probe.variants):
        for j, point in enumerate(variant.attach):
            unreadable = point.mechanism == "tracepoint" and tracefs.find() is None
            if unreadable or point.params or point.target in known or points.unsupported(point.mechanism):
                continue
            if reason := points.missing(point.mechanism, point.target, point.args):
                line = document.line(("variants", i, "attach", j))
                found[variant.name] = f"{document.file}:{line}: {inert(reason)}{nearest(point.target, known)}"
    return found


def _try(probe: Probe, includes: dict[str, str], bcc: Path) -> Attached | Failed:
    definitions = params.definitions(probe, {}, dict.fromkeys(params.OF_MACHINE, lambda _: 1))
    who = privilege.invoker()
    order = load.Order(
        probe=probe,
        params=params.canonical(probe, {}),
        definitions=lambda: definitions,
        includes=includes,
        bcc=bcc,
        rights=partial(privilege.rights_of, who),
        confine=partial(privilege.confine, who),
        attach=False,
    )
    tasks = Tasks()
    receiver = transport.Receiver(tasks.start("loader", 0, lambda channel: load.Load(order, channel).run()))
    outcome: Attached | Failed | None = None
    stage: Stage = "queued"
    while received := _wait(tasks, receiver):
        message, descriptors = received
        transport.close_all(descriptors)
        match message:
            case protocol.Progress():
                stage = message.stage
            case protocol.Handover() | protocol.LoadFailed():
                outcome = message.outcome
            case protocol.TaskFailed():  # there is no process to wait for
                raise UserError(message.error)
    receiver.close()
    ended = tasks.reap(*os.waitpid(-1, 0))
    if outcome is None:
        assert ended is not None, "a loader that ends well reports"
        outcome = ended.outcome(stage, probe.source)
    return outcome


def _wait(tasks: Tasks, receiver: transport.Receiver) -> tuple[protocol.AnyMessage, list[int]] | None:
    """The loader's next message; None at its end. Kills a loader that takes too long."""
    while (deadline := tasks.next_deadline()) is not None:
        if readable([receiver.socket.fileno()], max(0.0, deadline - time.monotonic())):
            break
        tasks.end_overdue()
    return receiver.receive()
