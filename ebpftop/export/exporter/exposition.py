"""Accounts as text for Prometheus, written by its own client library."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from ebpftop import __version__
from ebpftop.export.exporter.accounts import Accounts, Family, buckets, estimated_sum
from ebpftop.frames.messages import Losses

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Exposition(Collector):
    """Creates the response to a scrape: (content, its type)."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self, accept: str) -> tuple[bytes, str]:
        """accept: the formats that the scraper accepts, as in HTTP. The response contains no part of it."""
        encode, kind = choose_encoder(OPEN_METRICS if OPEN_METRICS.partition(";")[0] in accept else "")
        return encode(self._registry), kind

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: families arrive with the probes."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield from self._about()
        for family in sorted(self._accounts.families.values(), key=lambda each: each.metric.name):
            yield _family(family)

    def _about(self) -> Iterator[Metric]:
        yield InfoMetricFamily("ebpftop", "The exporter.", value={"version": __version__})
        up = GaugeMetricFamily("ebpftop_probe_up", "Whether a probe is attached.", labels=["probe", "variant"])
        read = GaugeMetricFamily(
            "ebpftop_probe_read_timestamp_seconds", "When a probe's counts were last read.", labels=["probe"]
        )
        lost = CounterMetricFamily("ebpftop_probe_lost", "What a probe missed, by cause.", labels=["probe", "cause"])
        ran = CounterMetricFamily(
            "ebpftop_probe_runs", "How often a probe's programs ran; an estimate if they run often.", labels=["probe"]
        )
        spent = CounterMetricFamily(
            "ebpftop_probe_run_seconds",
            "How long a probe's programs ran; an estimate, from a tenth of the time, if they run often.",
            labels=["probe"],
        )
        for name, standing in sorted(self._accounts.probes.items()):
            up.add_metric([name, standing.variant], int(standing.up))
            if standing.read:
                read.add_metric([name], standing.read)
            for cause in Losses.__struct_fields__:
                lost.add_metric([name, cause], getattr(standing.losses, cause))
            ran.add_metric([name], standing.run_count)
            spent.add_metric([name], standing.run_ns / 1e9)
        yield from (up, read, lost, ran, spent)


def _family(family: Family) -> Metric:
    of = family.metric
    if of.kind == "counter":
        counter = CounterMetricFamily(of.family, of.help, labels=family.labels)
        for key, series in family.series.items():
            counter.add_metric(key, series.amount * of.scale)
        return counter
    about = f"{of.help}. The sum counts each value as the middle of its bucket, at most 6.25% off."
    histogram = HistogramMetricFamily(of.family, about, labels=family.labels)
    for key, series in family.series.items():
        cells = [(_edge(edge), count) for edge, count in buckets(family, series.amount)]
        histogram.add_metric(key, cells, estimated_sum(family, series.amount))
    return histogram


def _edge(edge: float) -> str:
    return "+Inf" if edge == float("inf") else repr(edge)
