"""One load, from a probe and its parameters to descriptors in the collector's hands."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import msgspec

from ebpftop import handover
from ebpftop.catalog.model import Probe, Variant
from ebpftop.frames.layout import MapLayout
from ebpftop.frames.messages import Loaded, Rejected, Stage, Tried
from ebpftop.kernel import bcc_home, headers, points
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader import bcc_door, compose, failures, views
from ebpftop.loader.sandbox import sandbox
from ebpftop.verifier import lines

MAP_LIMIT = 256 << 20  # bytes all maps of a probe may take; stated in the README
FAILURES_MAP = "_failures"
COMMON = ("ebpftop.h", "ebpftop_maps.h")  # headers every probe has; of the others only those it includes bring types
_RETRIES = 4  # for types that clang finds incomplete, one layer at a time


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to load. `includes` are the shared headers by name, read when the program started; `bcc` is its package
    folder.
    """

    probe: Probe
    definitions: list[str]
    includes: dict[str, str]
    bcc: Path
    attach: bool = True


class _Rejected(Exception):
    def __init__(self, frame: Rejected) -> None:
        super().__init__(frame.error)
        self.frame = frame


class _PassedOver(Exception):
    """This variant can't be had here, which is no fault of its code."""


class Output:
    """What this process and the libraries in it write to stderr: a memfd in place of descriptor 2."""

    def __init__(self, descriptor: int = 2) -> None:
        self._fd = descriptor

    def clear(self) -> None:
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)

    def text(self) -> str:
        return os.pread(self._fd, 1 << 24, 0).decode("utf-8", "replace")


class Load:
    """The stages of one load; reports to the collector as it goes."""

    def __init__(self, order: Order, channel: socket.socket) -> None:
        self.order, self.probe, self.channel, self.output = order, order.probe, channel, Output()
        self.stages: list[tuple[str, float]] = []
        self.tried: list[Tried] = []
        self.notes: list[str] = []
        self._since = time.monotonic()
        self._extra: set[str] = set()

    def run(self) -> None:
        """Try the variants in order; the first that attaches is handed over, else the most telling failure is."""
        with sandbox() as (scratch, notes):
            self.notes += notes
            self._scratch = scratch
            self._write_includes()
            rejected: Rejected | None = None
            bcc = None
            for variant in self.probe.variants:
                try:
                    self._check_points(variant)
                    self._begin("types")
                    if bcc is None:
                        self._tree = self._make_tree()
                        bcc = bcc_home.load(self.order.bcc)
                    self._try(bcc, variant)
                    return
                except _PassedOver as reason:
                    self.tried.append(Tried(variant=variant.name, reason=str(reason)))
                except _Rejected as refusal:
                    rejected = rejected or refusal.frame
                    self.tried.append(Tried(variant=variant.name, reason=refusal.frame.error))
            frame = rejected or failures.nothing_attached(self.probe, self.tried)
            frame = msgspec.structs.replace(frame, tried=self.tried)
            handover.send(self.channel, handover.Failure(rejected=frame))

    def _begin(self, stage: Stage) -> None:
        """Report the stage that begins; what came before it gets its time."""
        handover.send(self.channel, handover.Progress(stage=stage, stages=self.stages))
        self._since = time.monotonic()

    def _done(self, stage: Stage) -> None:
        self.stages = [*(s for s in self.stages if s[0] != stage), (stage, (time.monotonic() - self._since) * 1000)]

    def _write_includes(self) -> None:
        self._include = self._scratch / "ebpftop"
        self._include.mkdir(exist_ok=True)
        for name, text in self.order.includes.items():
            (self._include / name).write_text(text)

    def _check_points(self, variant: Variant) -> None:
        for point in variant.attach:
            if reason := points.missing(point.mechanism, point.target, point.args):
                raise _PassedOver(reason)

    def _make_tree(self) -> headers.Tree | None:
        used = [
            text for name, text in self.order.includes.items() if name in COMMON or f'"{name}"' in self.probe.source
        ]
        text = "\n".join((*used, self.probe.source))
        try:
            tree = headers.write_tree(self._scratch / "kernel", text, self._extra)
        except KernelLacks as lack:
            self.notes.append(f"{lack}: installed kernel headers are used")
            return None
        os.environ["BCC_KERNEL_SOURCE"] = str(tree.root)
        self._done("types")
        return tree

    def _compile(self, bcc: object, variant: Variant, *, debug_source: bool = False) -> bcc_door.Module:
        for _ in range(_RETRIES):
            text = compose.main_text(
                self._tree.prologue if self._tree else "", self.order.includes["ebpftop_maps.h"], self.probe.source
            )
            flags = compose.flags(variant.name, self.order.definitions, _tree_flags(self._tree), str(self._include))
            self.output.clear()
            try:
                return bcc_door.Module(bcc, text, flags, debug_source=debug_source)
            except bcc_door.CompileError:
                output = self.output.text()
                missing = set(headers.incomplete_types(output)) - self._extra
                if not missing or not self._tree:
                    break
                self._extra |= missing
                self._tree = self._make_tree()
        raise _Rejected(failures.compile_failure(self.probe, variant.name, self.output.text()))

    def _try(self, bcc: object, variant: Variant) -> None:
        self._begin("compile")
        module = self._compile(bcc, variant)
        layouts = module.maps()
        cpus = os.sysconf("SC_NPROCESSORS_CONF")
        map_bytes = sum(bcc_door.memory(layout, cpus) for layout in layouts)
        if map_bytes > MAP_LIMIT:
            limit = f"its maps may take {map_bytes >> 20:,} MiB; the limit is {MAP_LIMIT >> 20} MiB"
            raise _Rejected(failures.misfit(self.probe, variant.name, limit))
        if problem := views.misfit(self.probe.views, layouts):
            raise _Rejected(failures.misfit(self.probe, variant.name, problem))
        self._done("compile")

        self._begin("verify")
        programs = self._load_programs(bcc, module, variant)
        self._done("verify")

        self._begin("attach")
        attachments: list[int] = []
        if self.order.attach:
            for point in variant.attach:
                try:
                    attachments += module.attach(programs[point.run], point)
                except bcc_door.AttachError as error:
                    handover.close_all(attachments)
                    raise _PassedOver(str(error)) from None
        self._done("attach")
        self._hand_over(module, variant, layouts, programs, attachments, map_bytes)

    def _load_programs(self, bcc: object, module: bcc_door.Module, variant: Variant) -> dict[str, int]:
        programs: dict[str, int] = {}
        for point in variant.attach:
            if point.run in programs:
                continue
            try:
                programs[point.run] = module.load(point.run, point.mechanism)
            except bcc_door.CompileError as error:
                raise _Rejected(failures.misfit(self.probe, variant.name, str(error))) from None
            except bcc_door.VerifierError as error:
                if not error.log.strip():  # refused before the verifier looked: a program type this kernel won't take
                    reason = f"this kernel refuses {point.mechanism} programs ({os.strerror(error.errno)})"
                    raise _PassedOver(reason) from None
                self._compile(bcc, variant, debug_source=True)
                table = lines.lines_of(self.output.text())
                raise _Rejected(
                    failures.verify_failure(self.probe, variant.name, error.function, error.errno, error.log, table)
                ) from None
        return programs

    def _hand_over(
        self,
        module: bcc_door.Module,
        variant: Variant,
        layouts: list[MapLayout],
        programs: dict[str, int],
        attachments: list[int],
        map_bytes: int,
    ) -> None:
        shown = {name for view in self.probe.views for name in (view.map, view.stacks)} | {FAILURES_MAP}
        maps = [layout for layout in layouts if layout.name in shown]
        loaded = Loaded(
            run=0,
            probe=self.probe.id,
            params={},
            variant=variant.name,
            meaning=variant.meaning,
            views=list(self.probe.views),
            attached=[str(point) for point in variant.attach],
            tried=self.tried,
            stages=self.stages,
            instructions=sum(module.instructions(name) for name in programs),
            map_bytes=map_bytes,
            notes=self.notes,
        )
        message = handover.Handover(loaded=loaded, maps=maps, programs=list(programs))
        fds = [*(module.map_fd(layout.name) for layout in maps), *programs.values(), *attachments]
        handover.send(self.channel, message, fds)


def _tree_flags(tree: headers.Tree | None) -> list[str]:
    return [*tree.flags, *(f"-D{token}" for token in tree.defines)] if tree else []
