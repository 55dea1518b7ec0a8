"""Reads profiles and traces with foreign code: protobuf's own runtime, and Perfetto's own schema."""

from __future__ import annotations

import gzip
from collections import Counter
from importlib import import_module
from typing import Any

# profile.proto of github.com/google/pprof: message, then field, number, type, whether repeated
_SCHEMA = {
    "Profile": [
        ("sample_type", 1, "ValueType", True),
        ("sample", 2, "Sample", True),
        ("mapping", 3, "Mapping", True),
        ("location", 4, "Location", True),
        ("function", 5, "Function", True),
        ("string_table", 6, "string", True),
        ("time_nanos", 9, "int64", False),
        ("duration_nanos", 10, "int64", False),
        ("comment", 13, "int64", True),
    ],
    "ValueType": [("type", 1, "int64", False), ("unit", 2, "int64", False)],
    "Sample": [("location_id", 1, "uint64", True), ("value", 2, "int64", True), ("label", 3, "Label", True)],
    "Label": [("key", 1, "int64", False), ("str", 2, "int64", False)],
    "Mapping": [("id", 1, "uint64", False), ("filename", 5, "int64", False)],
    "Location": [("id", 1, "uint64", False), ("mapping_id", 2, "uint64", False), ("line", 4, "Line", True)],
    "Line": [("function_id", 1, "uint64", False)],
    "Function": [("id", 1, "uint64", False), ("name", 2, "int64", False), ("filename", 4, "int64", False)],
}


def profile(content: bytes) -> Any:
    """A pprof file as its message; unknown fields are refused."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="p", syntax="proto3")
    plain = descriptor_pb2.FieldDescriptorProto
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = plain.LABEL_REPEATED if repeated else plain.LABEL_OPTIONAL
            if kind in _SCHEMA:
                message.field.add(
                    name=field, number=number, label=label, type=plain.TYPE_MESSAGE, type_name=f".p.{kind}"
                )
            else:
                message.field.add(name=field, number=number, label=label, type=getattr(plain, f"TYPE_{kind.upper()}"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Profile"))()
    found.ParseFromString(gzip.decompress(content))
    return found


def stacks(found: Any) -> dict[str, Counter[tuple[str, ...]]]:
    """By type of value: the value of each stack, given as its owner followed by its functions, outermost first."""
    text = found.string_table
    functions = {each.id: text[each.name] for each in found.function}
    locations = {each.id: [functions[line.function_id] for line in each.line] for each in found.location}
    sums: dict[str, Counter[tuple[str, ...]]] = {text[each.type]: Counter() for each in found.sample_type}
    for sample in found.sample:
        heads = [text[label.str] for label in sample.label]
        path = [name for number in reversed(sample.location_id) for name in locations[number]]
        for kind, value in zip(found.sample_type, sample.value, strict=True):
            if value:
                sums[text[kind.type]][*heads, *path] += value
    return sums


class Trace:
    """A Perfetto trace. counters: by track, (time, value) in order. events: by track, (begin, end, name, values); for
    an instant both times are the same. samples: (time, cpu, process, functions, outermost first).
    """

    def __init__(self, content: bytes) -> None:
        schema: Any = import_module("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
        trace = schema.Trace()
        trace.ParseFromString(content)
        self.packets = list(trace.packet)
        self._parents: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._processes: dict[int, str] = {}
        self.counters: dict[str, list[tuple[int, int]]] = {}
        self.units: dict[str, int] = {}
        self.events: dict[str, list[tuple[int, int, str, dict[str, Any]]]] = {}
        self.samples: list[tuple[int, int, str, tuple[str, ...]]] = []
        self._interned: dict[int, tuple[str, ...]] = {}
        open_slices: dict[int, tuple[int, str, dict[str, Any]]] = {}
        for packet in self.packets:
            assert packet.trusted_packet_sequence_id
            assert packet.timestamp_clock_id == 1
            self._intern(packet.interned_data)
            if packet.HasField("track_descriptor"):
                self._described(packet.track_descriptor)
            elif packet.HasField("perf_sample"):
                each = packet.perf_sample
                stack = self._interned[each.callstack_iid]
                self.samples.append((packet.timestamp, each.cpu, self._processes[each.pid], stack))
            elif packet.HasField("track_event"):
                event = packet.track_event
                track = self.path(event.track_uuid)
                values = {each.name: getattr(each, each.WhichOneof("value")) for each in event.debug_annotations}
                match event.type:
                    case 1:
                        assert event.track_uuid not in open_slices, f"slices overlap on {track}"
                        open_slices[event.track_uuid] = (packet.timestamp, event.name, values)
                    case 2:
                        begin, name, told = open_slices.pop(event.track_uuid)
                        self.events.setdefault(track, []).append((begin, packet.timestamp, name, told))
                    case 3:
                        self.events.setdefault(track, []).append(
                            (packet.timestamp, packet.timestamp, event.name, values)
                        )
                    case 4:
                        self.counters.setdefault(track, []).append((packet.timestamp, event.counter_value))
        assert not open_slices

    def path(self, track: int) -> str:
        above = self._parents.get(track)
        return f"{self.path(above)}/{self._names[track]}" if above else self._names[track]

    def _described(self, track: Any) -> None:
        assert track.uuid not in self._names
        if track.HasField("process"):
            self._processes[track.process.pid] = track.process.process_name
        self._names[track.uuid] = track.name
        if track.parent_uuid:
            assert track.parent_uuid in self._names
            self._parents[track.uuid] = track.parent_uuid
        if track.HasField("counter"):
            self.units[self.path(track.uuid)] = track.counter.unit

    def _intern(self, data: Any) -> None:
        names = {each.iid: each.str.decode() for each in data.function_names}
        frames = {each.iid: names[each.function_name_id] for each in data.frames}
        for each in data.callstacks:
            self._interned[each.iid] = tuple(frames[frame] for frame in each.frame_ids)
