"""Counts and distributions that are cheap to add to: plain numbers, which become series when they are scraped.

They are written by the thread of the event loop alone, so they have no locks. prometheus_client's own keep their
values in memory-mapped files wherever ``PROMETHEUS_MULTIPROC_DIR`` is set, and ``bentoml serve`` sets it: a full
disk would kill the worker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

Key = tuple[str | int, ...]


class Counts:
    """How often each of several things happened; ``by`` has the values of the labels.

    Args:
        name: of the series, without its ``_total``.
        words: what it counts, for people.
        labels: their names.
        known: what is told as 0 before it happens.

    >>> seen = Counts("tregcast_seen", "What was seen.", ["kind"], [("cat",), ("dog",)])
    >>> seen.by["dog",] += 1
    >>> [(sample.labels["kind"], sample.value) for family in seen.collect() for sample in family.samples]
    [('cat', 0), ('dog', 1)]
    """

    def __init__(self, name: str, words: str, labels: Sequence[str] = (), known: Iterable[Key] = ()) -> None:
        self.by: dict[Key, int] = dict.fromkeys(known, 0)
        self._named = (name, words, tuple(labels))

    def collect(self) -> Iterator[Metric]:
        """The series."""
        name, words, labels = self._named
        family = CounterMetricFamily(name, words, labels=labels)
        for key, count in list(self.by.items()):
            family.add_metric([str(value) for value in key], count)
        yield family


class Distribution:
    """How many values were at most each bound, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a finite value.

        >>> found = Distribution([0.5, 1.0])
        >>> for value in (0.5, 0.7, 3.0):
        ...     found.add(value)
        >>> found.cumulative()
        [('0.5', 1.0), ('1.0', 2.0), ('+Inf', 3.0)]
        """
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Each bound and how many were at most that."""
        counts = list(self.counts)
        names = [*map(str, self.bounds), "+Inf"]
        return [(name, float(sum(counts[: at + 1]))) for at, name in enumerate(names)]


class Distributions:
    """A distribution for each value of a label, or one where there is no label.

    Args:
        name: of the series, with its unit.
        words: what it counts, for people.
        bounds: rising.
        label: its name, if there is one.
        known: the values of the label that are told before anything is counted.
    """

    def __init__(
        self, name: str, words: str, bounds: Sequence[float], label: str | None = None, known: Iterable[str] = ("",)
    ) -> None:
        self.by = {value: Distribution(bounds) for value in known}
        self._bounds = tuple(bounds)
        self._named = (name, words, () if label is None else (label,))

    def of(self, value: str = "") -> Distribution:
        """The distribution of a value of the label."""
        found = self.by.get(value)
        if found is None:
            found = self.by[value] = Distribution(self._bounds)
        return found

    def collect(self) -> Iterator[Metric]:
        """The series."""
        name, words, labels = self._named
        family = HistogramMetricFamily(name, words, labels=labels)
        for value, found in list(self.by.items()):
            family.add_metric([value] if labels else [], found.cumulative(), found.sum)
        yield family
