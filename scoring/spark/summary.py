"""What became of every row, counted in what was written: the summary of a run on Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.version import VERSION
from model.distribution import FAST_ABOVE, SLOW_BELOW
from model.pack import Pack
from scoring.columns import CODES, OUTCOME, REASONS
from scoring.settings import ScoreSettings
from scoring.spark.columns import KIND, REJECTS
from scoring.spark.source import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the rows that were written."""

    outcomes: Mapping[str, int]  # ``rejected`` among them
    codes: Mapping[str, int]  # a row counts under each of its own
    bands: Mapping[str, int]  # of the predicted rates

    @property
    def rows(self) -> int:
        """Answered and rejected."""
        return sum(self.outcomes.values())

    @property
    def rejected(self) -> int:
        """Rejected."""
        return self.outcomes.get("rejected", 0)


@dataclass(frozen=True, slots=True)
class SparkSummary:
    """Of what the answers were computed, and what became of the rows; nothing in it depends on the machines."""

    source: Source
    counts: Counts
    pack: Pack
    settings: ScoreSettings

    def as_json(self) -> bytes:
        """As it stands in ``summary.json``."""
        found = {
            "engine": "spark",
            "tregcast": VERSION,
            "pack": {
                "id": self.pack.id,
                "name": self.pack.predictor.pack.name,
                "statement": self.pack.predictor.statement,
            },
            "input": {"files": self.source.files, "listing_sha256": self.source.listing},
            "settings": {
                "explain": self.settings.explain,
                "coverage": self.settings.coverage,
                "as_of": self.settings.today.isoformat(),
            },
            "rows_in": self.source.rows,
            "outcomes": dict(self.counts.outcomes),
            "codes": dict(self.counts.codes),
            "bands": dict(self.counts.bands),
        }
        return json.dumps(found, indent=2).encode() + b"\n"


def count(both: DataFrame) -> Counts:
    """Outcomes, codes and bands of what was written."""
    from pyspark.sql import functions as sql

    rate = sql.col("progression_rate")
    band = (
        sql.when(rate < SLOW_BELOW, "slow").when(rate <= FAST_ABOVE, "intermediate").when(rate.isNotNull(), "fast")
    )
    outcomes: dict[str, int] = {}
    bands = dict.fromkeys(("slow", "intermediate", "fast"), 0)
    for row in both.groupBy(KIND, OUTCOME, band.alias("band")).count().collect():
        outcome = "rejected" if row[KIND] == REJECTS else row[OUTCOME]
        outcomes[outcome] = outcomes.get(outcome, 0) + row["count"]
        if row["band"] is not None:
            bands[row["band"]] += row["count"]
    said = sql.explode(sql.split(sql.coalesce(sql.col(REASONS), sql.col(CODES)), " ")).alias("code")
    said_rows = both.select(said).where("code != ''").groupBy("code").count().collect()
    codes = {row["code"]: row["count"] for row in said_rows}
    return Counts(dict(sorted(outcomes.items())), dict(sorted(codes.items())), bands)
