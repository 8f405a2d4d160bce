"""What became of every row of a job on Spark, counted in what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.identifier import BLANKS, LIKE_NOTHING
from model.answer import NUMBERS
from model.distribution import FAST_ABOVE, SLOW_BELOW
from model.predictor import BANDS
from scoring.columns import CODES, OUTCOME, PATIENT, REASONS
from scoring.spark.columns import KIND, REJECTS
from scoring.summary import ABSTAINED, BLANK, LIKE_MISSING, OUTCOMES, RAGGED, REJECTED, WITHOUT, Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def count(both: DataFrame) -> Tally:
    """The counts of a table of answers and rejects.

    Raises:
        ArithmeticError: a row has an outcome that there is not.
    """
    from pyspark.sql import functions as sql

    tally = Tally()
    rate = sql.col(NUMBERS[0])
    band = sql.when(rate < SLOW_BELOW, BANDS[0]).when(rate <= FAST_ABOVE, BANDS[1]).when(rate.isNotNull(), BANDS[2])
    outcome = sql.when(sql.col(KIND) == REJECTS, REJECTED).otherwise(sql.col(OUTCOME))
    for row in both.groupBy(outcome.alias("outcome"), band.alias("band")).count().collect():
        tally.outcomes[row["outcome"]] += row["count"]
        if row["band"] is not None:
            tally.bands[row["band"]] += row["count"]
    code = sql.explode(sql.split(sql.coalesce(sql.col(REASONS), sql.col(CODES)), " "))
    said = both.select(outcome.alias("outcome"), code.alias("code")).where(sql.col("code") != "")
    counts = {REJECTED: tally.problems, ABSTAINED: tally.reasons}
    for row in said.groupBy("outcome", "code").count().collect():
        counts.get(row["outcome"], tally.cautions)[row["code"]] += row["count"]
    _identify(both, tally)
    odd = set(tally.outcomes) - set(OUTCOMES)
    if odd:
        raise ArithmeticError(f"unknown outcomes {sorted(odd)}")
    return tally


def _identify(both: DataFrame, tally: Tally) -> None:
    """Count identifiers as `Tally` does on one machine."""
    from pyspark.sql import functions as sql

    whose, is_text = sql.col(PATIENT), dict(both.dtypes)[PATIENT] == "string"
    ragged = sql.coalesce(sql.col(CODES), sql.lit("")) == RAGGED
    counted = {WITHOUT: whose.isNull() & ~ragged}
    if is_text:
        counted[BLANK] = sql.trim(whose, sql.lit(BLANKS)) != whose
        counted[LIKE_MISSING] = whose.isin(*LIKE_NOTHING)
    row = both.agg(*(sql.count_if(condition).alias(name) for name, condition in counted.items())).collect()[0]
    tally.identifiers.update({name: row[name] for name in counted})
