"""What became of every row, counted in what was written: the summary of a run on Spark, in the words of any run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.version import VERSION
from model.distribution import FAST_ABOVE, SLOW_BELOW
from model.pack import Pack
from model.predictor import BANDS
from scoring.columns import CODES, NUMBERS, OUTCOME, REASONS
from scoring.settings import ScoreSettings
from scoring.spark.columns import KIND, REJECTS
from scoring.spark.source import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FORMAT = 1  # of the columns of answers and rejects, and of the summary
ABSTAINED, REJECTED = "abstained", "rejected"
OUTCOMES = ("prediction", "prediction_with_cautions", ABSTAINED, REJECTED)
CAUTIONS, WHY, PROBLEMS = "cautions", "reasons", "problems"


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the rows that were written: a row counts once among outcomes, and under each code it has."""

    outcomes: Mapping[str, int]
    bands: Mapping[str, int]  # of the predicted rates
    codes: Mapping[str, Mapping[str, int]]  # of cautions, of reasons for no answer, of problems

    @property
    def rows(self) -> int:
        """Answered, abstained and rejected."""
        return sum(self.outcomes.values())

    @property
    def rejected(self) -> int:
        """Rejected."""
        return self.outcomes[REJECTED]


@dataclass(frozen=True, slots=True)
class SparkSummary:
    """Of what the answers were computed, and what became of the rows; nothing in it depends on the machines."""

    source: Source
    counts: Counts
    pack: Pack
    settings: ScoreSettings
    mapping_digest: str | None

    def as_json(self) -> bytes:
        """As it stands in ``summary.json``."""
        counts = self.counts
        document = {
            "format": FORMAT,
            "tregcast": VERSION,
            "engine": "spark",
            "pack": self.pack.predictor.pack.to_json(),
            "statement": self.pack.predictor.statement,
            "input_files": self.source.files,
            "input_listing_digest": self.source.listing,
            "mapping_digest": self.mapping_digest,
            "settings": {
                "explain": self.settings.explain,
                "coverage": self.settings.coverage,
                "as_of": self.settings.today.isoformat(),
            },
            "rows": {
                "in": self.source.rows,
                "answered_or_abstained": counts.rows - counts.rejected,
                REJECTED: counts.rejected,
            },
            "outcomes": dict(counts.outcomes),
            **{words: _largest(found) for words, found in counts.codes.items()},
            "bands": dict(counts.bands),
        }
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def count(both: DataFrame) -> Counts:
    """The counts of a table of answers and rejects."""
    from pyspark.sql import functions as sql

    rate = sql.col(NUMBERS[0])
    band = sql.when(rate < SLOW_BELOW, BANDS[0]).when(rate <= FAST_ABOVE, BANDS[1]).when(rate.isNotNull(), BANDS[2])
    outcome = sql.when(sql.col(KIND) == REJECTS, REJECTED).otherwise(sql.col(OUTCOME))
    outcomes, bands = Counter[str](), Counter[str]()
    for row in both.groupBy(outcome.alias("outcome"), band.alias("band")).count().collect():
        outcomes[row["outcome"]] += row["count"]
        bands[row["band"]] += row["count"]
    words = sql.when(outcome == REJECTED, PROBLEMS).when(outcome == ABSTAINED, WHY).otherwise(CAUTIONS)
    code = sql.explode(sql.split(sql.coalesce(sql.col(REASONS), sql.col(CODES)), " "))
    said = both.select(words.alias("words"), code.alias("code")).where(sql.col("code") != "")
    codes: dict[str, dict[str, int]] = {CAUTIONS: {}, WHY: {}, PROBLEMS: {}}
    for row in said.groupBy("words", "code").count().collect():
        codes[row["words"]][row["code"]] = row["count"]
    odd = set(outcomes) - set(OUTCOMES)
    if odd:
        raise ArithmeticError(f"unknown outcomes {sorted(odd)}")
    return Counts({name: outcomes[name] for name in OUTCOMES}, {name: bands[name] for name in BANDS}, codes)


def _largest(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
