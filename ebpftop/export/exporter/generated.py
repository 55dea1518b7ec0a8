"""Generates configuration of Prometheus and Grafana for the exporter's metrics from the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ebpftop.export.exporter.naming import Metric, metrics
from ebpftop.frames.messages import ProbeInfo

_UNITS = {"seconds": "s", "bytes": "bytes"}  # Grafana's names
_WIDTH, _HEIGHT = 12, 8  # of a panel; a row of the grid has 24 columns


def rules(probes: Sequence[ProbeInfo]) -> str:
    """Alerting and recording rules (https://prometheus.io/docs/prometheus/latest/configuration/recording_rules), YAML
    whose values are written as in JSON.
    """
    alerts = [
        _alert(
            "EbpftopProbeDown",
            "ebpftop_probe_up == 0",
            "2m",
            "{{ $labels.probe }} is no longer attached on {{ $labels.instance }}",
            "It was detached by the budget or after a failure: the exporter's log says why.",
        ),
        _alert(
            "EbpftopLoses",
            'increase(ebpftop_probe_lost_total{cause!="evicted"}[10m]) > 0',
            "0m",
            "{{ $labels.probe }} is losing data on {{ $labels.instance }}",
            "A map or a ring buffer is full: its numbers are too low. Narrow the probe with its parameters.",
        ),
    ]
    found: list[dict[str, Any]] = [{"name": "ebpftop", "rules": alerts}]
    for probe in probes:
        recorded = [
            {"record": f"instance:{each.family}:p{percent}_5m", "expr": _quantile(each, percent)}
            for each, _ in metrics(probe.id, probe.views)
            if each.kind == "histogram"
            for percent in (50, 90, 99)
        ]
        if recorded:
            found.append({"name": f"ebpftop {probe.id}", "rules": recorded})
    return "\n".join(["groups:", *_yaml(found, "")]) + "\n"


def dashboard(probes: Sequence[ProbeInfo]) -> str:
    """A dashboard for Grafana 9 and later, by its JSON model."""
    panels: list[dict[str, Any]] = []
    y = 0
    for probe in probes:
        panels.append(
            {"type": "row", "title": f"{probe.id}: {probe.question}", "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        )
        y += 1
        x = 0
        for each, _ in metrics(probe.id, probe.views):
            for panel in _panels(each):
                panels.append({**panel, "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT}})
                y, x = (y + _HEIGHT, 0) if x else (y, _WIDTH)
        y, x = (y + _HEIGHT, 0) if x else (y, 0)
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    host = {
        "name": "instance",
        "label": "Host",
        "type": "query",
        "query": "label_values(ebpftop_probe_up, instance)",
        "datasource": _SOURCE,
        "multi": True,
        "includeAll": True,
        "refresh": 2,
    }
    found = {
        "title": "ebpftop",
        "uid": "ebpftop",
        "tags": ["ebpf"],
        "schemaVersion": 37,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source, host]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


_SOURCE = {"type": "prometheus", "uid": "${source}"}
_HOST = 'instance=~"$instance"'


def _panels(of: Metric) -> Iterator[dict[str, Any]]:
    if of.kind == "counter":
        yield _panel("timeseries", of, [(f"rate({of.family}_total{{{_HOST}}}[$__rate_interval])", "")])
        return
    rate = f"sum by (le) (rate({of.family}_bucket{{{_HOST}}}[$__rate_interval]))"
    yield _panel("heatmap", of, [(rate, "{{le}}")])
    yield _panel("timeseries", of, [(f"histogram_quantile({q / 100}, {rate})", f"p{q}") for q in (50, 90, 99)])


def _panel(kind: str, of: Metric, queries: Sequence[tuple[str, str]]) -> dict[str, Any]:
    unit = _UNITS.get(of.unit, "short" if of.kind == "histogram" else "cps")
    targets: list[dict[str, Any]] = [
        {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend or "__auto"}
        for at, (expression, legend) in enumerate(queries)
    ]
    if kind == "heatmap":
        targets = [{**each, "format": "heatmap"} for each in targets]
        options: dict[str, Any] = {"calculate": False, "yAxis": {"unit": unit}}
    else:
        options = {}
    return {
        "type": kind,
        "title": of.help,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": options,
    }


def _quantile(of: Metric, percent: int) -> str:
    return f"histogram_quantile({percent / 100}, sum by (instance, le) (rate({of.family}_bucket[5m])))"


def _alert(name: str, expression: str, lasts: str, summary: str, description: str) -> dict[str, Any]:
    told = {"summary": summary, "description": description}
    return {"alert": name, "expr": expression, "for": lasts, "labels": {"severity": "warning"}, "annotations": told}


def _yaml(value: Any, indent: str) -> Iterator[str]:
    """Lists and objects as YAML's blocks, everything else as JSON, which YAML reads too."""
    for each in value:
        mark = "- "
        for key, inner in each.items():
            if isinstance(inner, list):
                yield f"{indent}{mark}{key}:"
                yield from _yaml(inner, indent + "    ")
            else:
                yield f"{indent}{mark}{key}: {json.dumps(inner, ensure_ascii=False)}"
            mark = "  "
