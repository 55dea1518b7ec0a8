"""One load, from a probe and its parameters to descriptors in the collector's hands."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import msgspec

from ebpftop.catalog.model import Probe, Variant
from ebpftop.catalog.numbering import numbered
from ebpftop.catalog.params import BadParam
from ebpftop.frames.layout import FAILURES, GROUPS, MapLayout, beside
from ebpftop.frames.messages import Attached, Failed, Stage, Tried
from ebpftop.handover import protocol, transport
from ebpftop.kernel import bcc_home, btf, headers, mentions, points, records, tracefs
from ebpftop.kernel.calibrate import attachment_ns
from ebpftop.kernel.libbpf import KernelLacks
from ebpftop.loader import bcc_door, compose, fit, outcomes, usdt_arguments
from ebpftop.loader.listing import lines_of
from ebpftop.loader.sandbox import View, sandbox
from ebpftop.loader.targets import BadTarget, Place, Targets

MAP_LIMIT = 256 << 20  # bytes all maps of a probe may take; stated in the README
_INCLUDE, _OWN = "ebpftop", "probe"  # the folders of the shared headers and of its own, in the compiler's view
# BCC looks for these two in all of /proc/kallsyms, which took more than half of a compilation. They exist since Linux
# 5.5, at whatever address.
_SYMBOLS = "ffffffff81000000 T bpf_probe_read_kernel\nffffffff81000000 T bpf_probe_read_user\n"
_RETRIES = 4  # for types that clang finds incomplete, one layer at a time


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to load: a probe with the variants that the parameters allow.

    definitions: returns the compiler's arguments after looking up what parameters name; raises `BadParam`. includes:
    the shared headers by name, read when the program started. bcc: its package folder. rights: the rights with which a
    program or library is opened. confine: drops root's rights for one thread; the compiler's thread calls it.
    """

    probe: Probe
    params: dict[str, str]
    definitions: Callable[[], list[str]]
    includes: dict[str, str]
    bcc: Path
    rights: Callable[[], AbstractContextManager[None]]
    confine: Callable[[], None]
    attach: bool = True


class _Failure(Exception):
    """The probe's own code is at fault, so no other variant is tried."""

    def __init__(self, outcome: Failed) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


class _PassedOver(Exception):
    """This kernel or machine can't run this variant; its code isn't at fault."""


class Output:
    """Captures what this process and its libraries write to stderr: a memfd in place of descriptor 2."""

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
        self._arguments: list[str] = []  # of static probes, as macros
        self._headers = compose.used_headers(order.includes, order.probe.written)
        self._text = "\n".join((*self._headers.values(), order.probe.written))
        self._numbered = numbered(self._headers)

    def run(self) -> None:
        """Try the variants in order; hand over the first that attaches, else report the most informative failure."""
        try:
            self._definitions = self.order.definitions()
        except BadParam as bad:
            transport.send(self.channel, protocol.Refusal(run=0, error=str(bad)))
            return
        self._targets = Targets(self.probe, self.order.params, self.order.rights, resolve=self.order.attach)
        with sandbox(self.order.rights) as (scratch, notes):
            self.notes += notes
            self._view = View(scratch, self.order.confine)
            self.notes += filter(None, [self._view.lack])
            failed: Failed | None = None
            wrong: BadTarget | None = None
            bcc = None
            for variant in self.probe.variants:
                try:
                    self._check_points(variant)
                    places = self._targets.places(variant)
                    self._begin("types")
                    if bcc is None:
                        btf.running()  # read while it can be
                        formats = tracefs.formats(mentions.tracepoints(self._text))
                        self._view.run(partial(self._furnish, formats=formats))
                        self._done("types")
                        bcc = bcc_home.load(self.order.bcc)
                    self._try(bcc, variant, places)
                    return
                except BadTarget as error:
                    wrong = wrong or (error if variant.params else None)
                    self.tried.append(Tried(variant=variant.name, reason=str(error)))
                except KernelLacks as lack:
                    self.tried.append(Tried(variant=variant.name, reason=str(lack)))
                except _PassedOver as reason:
                    self.tried.append(Tried(variant=variant.name, reason=str(reason)))
                except _Failure as failure:
                    failed = failed or failure.outcome
                    self.tried.append(Tried(variant=variant.name, reason=failure.outcome.error))
            if wrong and not failed:
                transport.send(self.channel, protocol.Refusal(run=0, error=f"{self.probe.id}: {wrong}"))
                return
            outcome = failed or outcomes.not_attached(self.probe, self.tried)
            outcome = msgspec.structs.replace(outcome, tried=self.tried)
            transport.send(self.channel, protocol.LoadFailed(outcome=outcome))

    def _begin(self, stage: Stage) -> None:
        """Report the beginning of a stage, and the duration of the previous one."""
        transport.send(self.channel, protocol.Progress(stage=stage, stages=self.stages))
        self._since = time.monotonic()

    def _done(self, stage: Stage) -> None:
        self.stages = [*(s for s in self.stages if s[0] != stage), (stage, (time.monotonic() - self._since) * 1000)]

    def _furnish(self, root: Path, formats: dict[str, str]) -> None:
        """In the compiler's view: write the files that it may read, and those that BCC looks up."""
        compose.write(root / _INCLUDE, self._numbered)
        compose.write(root / _OWN, self.probe.headers)
        readable = formats if self._view.is_root else tracefs.formats(mentions.tracepoints(self._text))
        self._records = "".join(records.definition(name, formats[name]) for name in formats.keys() - readable.keys())
        if self._view.is_root:
            compose.write(root / "proc", {"kallsyms": _SYMBOLS})
            for place in tracefs.PLACES:  # BCC takes the last where it exists, else the first
                compose.write(
                    root / place.relative_to("/"), {f"events/{name}/format": text for name, text in formats.items()}
                )
        self._make_tree(root)

    def _check_points(self, variant: Variant) -> None:
        for point in variant.attach:
            reason = (
                points.unsupported(point.mechanism)
                if point.params
                else points.missing(point.mechanism, point.target, point.args)
            )
            if reason:
                raise _PassedOver(reason)

    def _make_tree(self, root: Path) -> None:
        self._tree = headers.write_tree(root / "kernel", self._text, self._extra)
        os.environ["BCC_KERNEL_SOURCE"] = str(self._tree.root)

    def _compile(self, bcc: object, variant: Variant, *, debug_source: bool = False) -> bcc_door.Module:
        return self._view.run(partial(self._compile_in, bcc, variant, debug_source))

    def _compile_in(self, bcc: object, variant: Variant, debug_source: bool, root: Path) -> bcc_door.Module:
        """In the compiler's view."""
        for _ in range(_RETRIES):
            tree = self._tree
            text = compose.main_text(
                self._records + tree.prologue, self._numbered, self.probe.source, listed=debug_source
            )
            given = [*tree.flags, *(f"-D{token}" for token in tree.defines)]
            flags = compose.flags(
                variant.name, [*self._definitions, *self._arguments], given, [root / _INCLUDE, root / _OWN]
            )
            self.output.clear()
            try:
                return bcc_door.Module(bcc, text, flags, debug_source=debug_source)
            except bcc_door.CompileError:
                output = self.output.text()
                missing = set(headers.incomplete_types(output)) - self._extra
                if not missing:
                    break
                self._extra |= missing
                self._make_tree(root)
        raise _Failure(outcomes.not_compiled(self.probe, variant.name, self.output.text()))

    def _try(self, bcc: object, variant: Variant, places: list[Place]) -> None:
        self._begin("compile")
        self._arguments = usdt_arguments.definitions(places)
        module = self._compile(bcc, variant)
        layouts = module.maps()
        cpus = os.sysconf("SC_NPROCESSORS_CONF")
        map_bytes = sum(bcc_door.memory(layout, cpus) for layout in layouts)
        if map_bytes > MAP_LIMIT:
            limit = f"its maps may need {map_bytes >> 20:,} MiB; the limit is {MAP_LIMIT >> 20} MiB"
            raise _Failure(outcomes.over_limit(self.probe, variant.name, limit))
        found = fit.misfit(self.probe.views_of(self.order.params), layouts)
        if self.probe.open is not None and not found:
            found = fit.misfit_open(self.probe.open, layouts)
        if found:
            path, problem = found
            raise _Failure(outcomes.misfit(self.probe, variant.name, problem, path))
        self._done("compile")

        self._begin("verify")
        programs = self._load_programs(bcc, module, variant, places)
        self._done("verify")

        self._begin("attach")
        cookies = {name: number for number, name in enumerate(dict.fromkeys(place.name for place in places))}
        attachments: list[int] = []
        if self.order.attach:
            for place in places:
                try:
                    attachments += module.attach(programs[place.program], place, cookies[place.name])
                except bcc_door.AttachError as error:
                    transport.close_all(attachments)
                    raise _PassedOver(str(error)) from None
        costs = {place.program: attachment_ns(place.mechanism) for place in places} if self.order.attach else {}
        self._done("attach")
        outcome = Attached(
            variant=variant.name,
            meaning=variant.meaning,
            views=list(self.probe.views_of(self.order.params, variant)),
            attached=[str(place) for place in places],
            points=list(cookies),
            tried=self.tried,
            stages=self.stages,
            instructions=sum(module.instructions(run) for run in {place.run for place in places}),
            map_bytes=map_bytes,
            notes=[*self.notes, *self._targets.files(places)],
        )
        self._hand_over(module, outcome, layouts, programs, attachments, costs)

    def _load_programs(
        self, bcc: object, module: bcc_door.Module, variant: Variant, places: list[Place]
    ) -> dict[str, int]:
        """The descriptors, by the names under which the programs are loaded."""
        programs: dict[str, int] = {}
        for place in places:
            if place.program in programs:
                continue
            try:
                programs[place.program] = module.load(place.run, place.mechanism, place.program)
            except bcc_door.CompileError as error:
                raise _Failure(outcomes.misfit(self.probe, variant.name, str(error))) from None
            except bcc_door.VerifierError as error:
                if not error.log.strip():  # rejected before verification: a program type this kernel doesn't accept
                    reason = f"this kernel refuses {place.mechanism} programs ({os.strerror(error.errno)})"
                    raise _PassedOver(reason) from None
                raise _Failure(self._rejected(bcc, variant, place, error)) from None
        return programs

    def _rejected(self, bcc: object, variant: Variant, place: Place, error: bcc_door.VerifierError) -> Failed:
        """Compile a rejected program once more, with a line for each instruction, and have it rejected again."""
        bcc_door.keep_lines(bcc)
        module = self._compile(bcc, variant, debug_source=True)
        table = lines_of(self.output.text())
        try:
            os.close(module.load(place.run, place.mechanism, place.program))
        except bcc_door.VerifierError as second:
            error = second if second.log.strip() else error
        return outcomes.rejected(self.probe, variant.name, error, table, self._headers)

    def _hand_over(
        self,
        module: bcc_door.Module,
        outcome: Attached,
        layouts: list[MapLayout],
        programs: dict[str, int],
        attachments: list[int],
        costs: dict[str, int],
    ) -> None:
        shown = {FAILURES, GROUPS}
        for view in self.probe.views:
            shown |= {view.map, view.moments, view.stacks, *beside(view.stacks)}
        waits = self.probe.open
        maps = [layout for layout in layouts if layout.name in shown or (waits and layout.name == waits.map)]
        message = protocol.Handover(
            outcome=outcome, maps=maps, programs=list(programs), attachment_ns=costs, open=waits
        )
        fds = [*(module.map_fd(layout.name) for layout in maps), *programs.values(), *attachments]
        transport.send(self.channel, message, fds)
