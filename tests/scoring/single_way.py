"""What the single way says of each row of a table: the parser, and the predictor with one record at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from features.table import Row, patients
from model.answer import render
from model.predictor import Predictor

Said = dict[str, object]


def single_answers(
    predictor: Predictor, rows: Sequence[Row], today: date, units: Mapping[str, str] | None = None
) -> dict[int, Said]:
    """By number of the row, what an answer or a reject of it must hold."""
    found: dict[int, Said] = {}
    for patient in patients(rows, units, today=today):
        for visit, position in enumerate(patient.rows):
            if patient.record is None:
                problems = patient.problems
                found[position + 1] = {
                    "codes": " ".join(dict.fromkeys(problem.code for problem in problems)),
                    "problems": "\n".join(map(str, problems)),
                }
            else:
                record = patient.record.until(visit)
                answer = render(predictor.predict(record))
                found[position + 1] = {"months_since_onset": record.index_visit.month, **as_columns(answer)}
    return found


def as_columns(answer: dict[str, object]) -> Said:
    """A rendered answer, as over HTTP, in the columns of a file of answers with ``top5``."""
    said: Said = {"outcome": answer["outcome"], "reasons": _codes(answer.get("reasons", answer.get("cautions")))}
    if answer["outcome"] == "abstained":
        return said
    interval, bands, shares = (
        answer[key] for key in ("prediction_interval", "band_probabilities", "contributions")
    )
    assert isinstance(interval, dict)
    assert isinstance(bands, dict)
    assert isinstance(shares, list)
    said |= {"progression_rate": answer["progression_rate"], "base_value": answer["base_value"]}
    said |= {f"interval_{end}": interval[end] for end in ("lower", "upper")}
    said |= {f"probability_{band}": probability for band, probability in bands.items()}
    for place, share in enumerate(shares[:5], start=1):
        said[f"contribution_{place}_feature"] = share["feature"]
        said[f"contribution_{place}_points_per_month"] = share["points_per_month"]
    return said


def _codes(items: object) -> str:
    assert isinstance(items, list)
    return " ".join(dict.fromkeys(item["code"] for item in items))
