"""A value that is wrong by 100 or 1,000 is not answered as if nothing were; swapped T cell values not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.proof.scale import scaled
from tests.proof.unit_mixups import FACTORS, simulated_records, swap_fates, unit_fates

if TYPE_CHECKING:
    from tests.conftest import Trained

LEAST_STOPPED = {"/1000": 0.99, "x100": 0.95, "/100": 0.95}  # docs/proof.md has the full size
BY_100_OR_MORE = [name for name in FACTORS if "100" in name]
MOST_UNSEEN = 0.001  # of all mix-ups by 100 or 1,000
MOST_STOPPED_UNSPOILT = 0.05  # the false alarms of a cohort of 40


def stopped(tried: Mapping[tuple[str, str], Counter[str]], mixup: str) -> float:
    """The share of all values wrong by this that were stopped."""
    counts = sum((found for key, found in tried.items() if key[1] == mixup), Counter[str]())
    return sum(n for fate, n in counts.items() if fate.startswith("stopped")) / counts.total()


@pytest.mark.slow
def test_values_in_a_wrong_unit(trained: Trained) -> None:
    fates = unit_fates(trained.pack.predictor, list(simulated_records(scaled(1000, least=40), seed=11)))
    tried = {key: counts for key, counts in fates.counts.items() if key[1] in BY_100_OR_MORE}
    assert len(tried) > 100
    unseen = {key: counts["unseen"] for key, counts in tried.items() if counts["unseen"]}
    assert sum(unseen.values()) <= MOST_UNSEEN * sum(sum(counts.values()) for counts in tried.values()), unseen
    for quantity in {quantity for quantity, _ in tried}:
        assert fates.share(quantity, "x1000", "stopped") == 1.0, quantity
    assert stopped(tried, "/1000") >= LEAST_STOPPED["/1000"]
    assert stopped(tried, "x100") >= LEAST_STOPPED["x100"]
    assert stopped(tried, "/100") >= LEAST_STOPPED["/100"]
    assert fates.counts["all", "none"]["stopped"] <= MOST_STOPPED_UNSPOILT * sum(
        fates.counts["all", "none"].values()
    )


@pytest.mark.slow
def test_swapped_t_cell_values_are_all_stopped(trained: Trained) -> None:
    fates = swap_fates(trained.pack.predictor, list(simulated_records(scaled(1000, least=60), seed=12)))
    assert len(fates.counts) == 5, "five wrong orders"
    for key, counts in fates.counts.items():
        assert sum(counts.values()) >= 5
        assert fates.share(*key, "stopped") == 1.0, (key, counts)
