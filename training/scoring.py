"""A table of visits in, a table of answers out: the table form of what the service answers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from features.headers import headers_of, rule_of
from features.table import Row, known_columns, patients
from features.today import latest_date
from model.answer import NUMBERS, Answer, Prediction, outcome, render
from model.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("outcome", "reasons", "answer")


class NearHeader(UserWarning):
    """A column that is not read, though it is like one that is missing."""


def score_table(predictor: Predictor, table: pd.DataFrame) -> pd.DataFrame:
    """Answer each row of a long table at its visit, from the rows of the same patient up to it.

    What is dated after the latest date there is anywhere now is refused, as over HTTP.

    Warns:
        NearHeader: of each column that is not read, though it is like one that is missing.

    Returns:
        One row per row, in order: `NUMBERS` (NaN where there is no prediction), ``outcome`` (``prediction``,
        ``prediction_with_cautions``, ``abstained`` or ``rejected``), ``reasons`` (codes of cautions, reasons or
        problems, separated by spaces) and ``answer`` (the whole answer as JSON; for a rejected row its problems).
    """
    import pandas as pd

    _warn_of_near(str(column) for column in table.columns)
    rows: list[Row] = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    found: dict[int, dict[str, object]] = {}
    for patient in patients(rows, today=latest_date(datetime.now(UTC))):
        for visit, position in enumerate(patient.rows):
            if patient.record is None:
                problems = sorted({problem.code for problem in patient.problems})
                found[position] = _rejected(problems, [str(problem) for problem in patient.problems])
            else:
                found[position] = _answered(predictor.predict(patient.record.until(visit)))
    ordered = [found[position] for position in range(len(rows))]
    frame = pd.DataFrame(ordered, index=table.index, columns=[*NUMBERS, *TEXTS])
    return frame.astype(dict.fromkeys(NUMBERS, "float64"))


def _warn_of_near(columns: Iterable[str]) -> None:
    known = known_columns()
    every = list(columns)
    read, others = [c for c in every if c in known], [c for c in every if c not in known]
    for column, near in headers_of(read, others, read).near.items():
        warnings.warn(f"column {column!r} {rule_of(column, near)}; rename it", NearHeader, stacklevel=3)


def _answered(answer: Answer) -> dict[str, object]:
    text = json.dumps(render(answer), ensure_ascii=False)
    if not isinstance(answer, Prediction):
        codes = " ".join(reason.code for reason in answer.reasons)
        return {"outcome": outcome(answer), "reasons": codes, "answer": text}
    bands = dict(answer.band_probabilities)
    return {
        "progression_rate": answer.progression_rate,
        "interval_lower": answer.prediction_interval.lower,
        "interval_upper": answer.prediction_interval.upper,
        **{f"probability_{band}": probability for band, probability in bands.items()},
        "outcome": outcome(answer),
        "reasons": " ".join(caution.code for caution in answer.cautions),
        "answer": text,
    }


def _rejected(codes: list[str], problems: list[str]) -> dict[str, object]:
    text = json.dumps({"outcome": "rejected", "problems": problems}, ensure_ascii=False)
    return {"outcome": "rejected", "reasons": " ".join(codes), "answer": text}
