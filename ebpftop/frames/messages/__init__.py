"""The messages: everything that a dashboard, a headless run, a tape or an exporter receives, and everything it may
request.

A *frame* travels from a source to a consumer; a *request* travels back. Both are msgspec structs tagged with their
kind, so a stream of them can be decoded without knowing its writer. Values in maps are cumulative since the probe was
attached: differences and rates are the consumer's task (`ebpftop.stats`). Other modules import all messages from here.
"""

from __future__ import annotations

from ebpftop.frames.messages.base import FEW, GREATEST, SOME, Frame, Request, Whole
from ebpftop.frames.messages.costs import Cost, ProgramCost, RingUse
from ebpftop.frames.messages.facts import Ancestor, FileFacts, LimitFacts, ProcessFacts, SocketFacts, ThreadFacts
from ebpftop.frames.messages.hosts import Host, Hosts, HostState, Pressure, Without
from ebpftop.frames.messages.probes import (
    Catalog,
    ColumnInfo,
    ParamInfo,
    PlaybookInfo,
    ProbeInfo,
    Show,
    StepInfo,
    Tells,
    ViewInfo,
)
from ebpftop.frames.messages.processes import FOLDED, UNKNOWN, Process, Processes
from ebpftop.frames.messages.programs import Holder, Program, Programs
from ebpftop.frames.messages.requests import (
    AccountRunTimes,
    AnyRequest,
    Describe,
    Detach,
    Interval,
    Load,
    Ping,
    ReadProcess,
    ReadPrograms,
    ReadThreads,
    Watch,
)
from ebpftop.frames.messages.runs import (
    Answer,
    Attached,
    Detached,
    Detaching,
    Failed,
    FailedStage,
    Loaded,
    Loading,
    Refused,
    Rejected,
    Stage,
    Tried,
)
from ebpftop.frames.messages.snapshots import FIRST, Changes, Column, Columns, Events, Losses, RowChanges, Snapshot
from ebpftop.frames.messages.stacks import Function, Stack, Stacks
from ebpftop.frames.messages.stream import PROTOCOL, Hello, Mark, Notice, Pong
from ebpftop.frames.messages.threads import OpenWait, ThreadPlace, Threads

AnyFrame = (
    Hello
    | Catalog
    | Loading
    | Loaded
    | Rejected
    | Refused
    | Snapshot
    | Events
    | Cost
    | Processes
    | Stacks
    | Host
    | Hosts
    | Pong
    | Programs
    | ProcessFacts
    | Threads
    | Detaching
    | Detached
    | Notice
    | Mark
)

Written = AnyFrame | Changes  # what a socket or a tape holds

__all__ = [
    "FEW",
    "FIRST",
    "FOLDED",
    "GREATEST",
    "PROTOCOL",
    "SOME",
    "UNKNOWN",
    "AccountRunTimes",
    "Ancestor",
    "Answer",
    "AnyFrame",
    "AnyRequest",
    "Attached",
    "Catalog",
    "Changes",
    "Column",
    "ColumnInfo",
    "Columns",
    "Cost",
    "Describe",
    "Detach",
    "Detached",
    "Detaching",
    "Events",
    "Failed",
    "FailedStage",
    "FileFacts",
    "Frame",
    "Function",
    "Hello",
    "Holder",
    "Host",
    "HostState",
    "Hosts",
    "Interval",
    "LimitFacts",
    "Load",
    "Loaded",
    "Loading",
    "Losses",
    "Mark",
    "Notice",
    "OpenWait",
    "ParamInfo",
    "Ping",
    "PlaybookInfo",
    "Pong",
    "Pressure",
    "ProbeInfo",
    "Process",
    "ProcessFacts",
    "Processes",
    "Program",
    "ProgramCost",
    "Programs",
    "ReadProcess",
    "ReadPrograms",
    "ReadThreads",
    "Refused",
    "Rejected",
    "Request",
    "RingUse",
    "RowChanges",
    "Show",
    "Snapshot",
    "SocketFacts",
    "Stack",
    "Stacks",
    "Stage",
    "StepInfo",
    "Tells",
    "ThreadFacts",
    "ThreadPlace",
    "Threads",
    "Tried",
    "ViewInfo",
    "Watch",
    "Whole",
    "Without",
    "Written",
]
