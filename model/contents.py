"""What a pack holds, and how it becomes files: boosters in XGBoost's own JSON, tables as npz, the rest as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from features.matrix import DesignMatrix
from features.vocabulary import Qualifiers, vocabulary
from model.answer import PackRef
from model.applicability import Applicability, Knots
from model.canonical import canonical_json
from model.checked_numbers import finite, number
from model.fitted import SITUATIONS, FittedModel
from model.fitted_files import (
    fitted_from_json,
    fitted_to_json,
    residuals_from_json,
    tables_from_npz,
    tables_to_npz,
)
from model.golden import GoldenAnswer, golden_answers
from model.predictor import Predictor
from model.training_range import TrainingRange

UNBORN = "0" * 64  # the id of a pack whose manifest is not written yet
BOOSTERS = (
    "location",
    "scale",
    *(f"{situation}_{part}" for situation in SITUATIONS for part in ("location", "scale")),
)
"""Names of boosters: the first two where one situation answers for all, the others where there are two."""
NO_BOOSTER = b"null\n"
ROUNDING = 1e-6  # of shares that add up to 1


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in a pack but its manifest."""

    name: str
    matrix: DesignMatrix
    fitted: FittedModel
    boosters: Mapping[str, bytes]  # XGBoost's JSON by name, as in `BOOSTERS`, where there are such trees
    applicability: Applicability
    importance: tuple[tuple[float, ...], ...]  # by situation
    statement: str
    card: Mapping[str, object]
    cohort_digest: str
    versions: Mapping[str, str]
    golden: tuple[GoldenAnswer, ...] = ()

    def predictor(self, pack_id: str = UNBORN) -> Predictor:
        """The predictor these contents make."""
        ref = PackRef(pack_id, self.name, f"tregcast {self.versions['tregcast']}")
        return Predictor(self.matrix, self.fitted, self.applicability, self.importance, self.statement, ref)


def encode(contents: Contents) -> dict[str, bytes]:
    """The files of a pack, by name; golden answers are made here."""
    fitted = contents.fitted
    model = {
        "name": contents.name,
        "columns": list(contents.matrix.columns),
        "scale": contents.matrix.scale,
        "measured_as": {name: dict(said) for name, said in contents.matrix.qualified},
        **fitted_to_json(fitted),
        "importance": [list(shares) for shares in contents.importance],
        "statement": contents.statement,
        "cohort_digest": contents.cohort_digest,
        "versions": dict(contents.versions),
    }
    golden = [{"record": g.record, "answer": g.answer} for g in golden_answers(contents.predictor())]
    return {
        "applicability.json": canonical_json(_applicability_to_json(contents.applicability)),
        "calibration.json": canonical_json({"residuals": [each.residuals.tolist() for each in fitted.situations]}),
        "card.json": canonical_json(contents.card),
        "golden.json": canonical_json(golden),
        "model.json": canonical_json(model),
        "tables.npz": tables_to_npz(fitted),
        **{f"{name}.json": contents.boosters.get(name, NO_BOOSTER) for name in BOOSTERS},
    }


def decode(files: Mapping[str, bytes]) -> Contents:
    """The contents of verified files.

    The boosters' JSON is kept for retraining and for the tests that hold the tables to it; answers come from the
    tables, so it is not parsed here.

    Raises:
        ValueError: a file does not hold what it should; the text begins with its name.
    """
    with reading("tables.npz"):
        sources = tables_from_npz(files["tables.npz"])
    with reading("calibration.json"):
        residuals = residuals_from_json(parse_json(files["calibration.json"]))
    with reading("applicability.json"):
        applicability = _applicability_from_json(parse_json(files["applicability.json"]))
    with reading("card.json"):
        card = parse_json(files["card.json"])
        if not isinstance(card, dict):
            raise ValueError("it is not an object")
    with reading("golden.json"):
        golden = tuple(GoldenAnswer(g["record"], g["answer"]) for g in parse_json(files["golden.json"]))
    with reading("model.json"):
        model = parse_json(files["model.json"])
        columns = tuple(model["columns"])
        fitted = fitted_from_json(model, columns, sources, residuals)
        importance = tuple(tuple(number(share) for share in shares) for shares in model["importance"])
        if [len(shares) for shares in importance] != [len(columns)] * len(fitted.situations):
            raise ValueError(
                f"importance is not {len(columns)} shares for each of {len(fitted.situations)} situations"
            )
        if any(min(each) < 0 or (any(each) and abs(math.fsum(each) - 1.0) > ROUNDING) for each in importance):
            raise ValueError("importance is not shares of one whole")
        _check_width(applicability, len(columns))
        return Contents(
            name=str(model["name"]),
            matrix=DesignMatrix(columns, model["scale"], _qualified(model["measured_as"])),
            fitted=fitted,
            boosters={name: files[f"{name}.json"] for name in BOOSTERS if files[f"{name}.json"] != NO_BOOSTER},
            applicability=applicability,
            importance=importance,
            statement=str(model["statement"]),
            card=card,
            cohort_digest=str(model["cohort_digest"]),
            versions={str(k): str(v) for k, v in model["versions"].items()},
            golden=golden,
        )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Whatever goes wrong while a file is read becomes a ValueError that begins with the name of the file.

    >>> with reading("card.json"):
    ...     {}["metrics"]
    Traceback (most recent call last):
    ...
    ValueError: card.json: KeyError('metrics')
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith(f"{name}: "):
            raise
        raise ValueError(f"{name}: {error!r}") from error


def parse_json(data: bytes) -> Any:
    """The JSON value in ``data``; NaN and infinity are refused."""
    return json.loads(data, parse_constant=_not_json)


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")


def _qualified(measured_as: Mapping[str, Mapping[str, str]]) -> tuple[tuple[str, Qualifiers], ...]:
    """In the order of the vocabulary, which canonical JSON does not keep."""
    known = vocabulary().quantities
    unknown = sorted(set(measured_as) - set(known))
    if unknown:
        raise ValueError(f"measured_as names {', '.join(unknown)}, which the vocabulary does not have")
    found: list[tuple[str, Qualifiers]] = []
    for name in (name for name in known if name in measured_as):
        own, said = [each.name for each in known[name].qualifiers], measured_as[name]
        if set(own) != set(said):
            raise ValueError(f"measured_as of {name} is not of {', '.join(own) or 'a quantity with qualifiers'}")
        found.append((name, tuple((qualifier, str(said[qualifier])) for qualifier in own)))
    return tuple(found)


def _check_width(applicability: Applicability, width: int) -> None:
    positions = (*applicability.positions, *(each.position for each in applicability.ranges))
    if len(applicability.measured) != width or any(not 0 <= at < width for at in positions):
        raise ValueError("positions or shares in applicability.json are of another width")


def _applicability_to_json(applicability: Applicability) -> dict[str, object]:
    return {
        "positions": list(applicability.positions),
        "knots": [
            {
                "values": knots.values.tolist(),
                "scores": knots.scores.tolist(),
                "lowest": knots.lowest,
                "highest": knots.highest,
            }
            for knots in applicability.knots
        ],
        "covariance": applicability.covariance.tolist(),
        "limit": applicability.limit,
        "measured": list(applicability.measured),
        "false_alarm_rate": applicability.false_alarm_rate,
        "ranges": [[each.position, each.lowest, each.highest] for each in applicability.ranges],
    }


_APPLICABILITY_KEYS = {"positions", "knots", "covariance", "limit", "measured", "false_alarm_rate", "ranges"}


def _applicability_from_json(table: Mapping[str, object]) -> Applicability:
    if unknown := sorted(table.keys() - _APPLICABILITY_KEYS):
        raise ValueError(f"{', '.join(unknown)} is no part of it")
    positions, knots, covariance = table["positions"], table["knots"], table["covariance"]
    if not isinstance(positions, list) or not isinstance(knots, list) or len(knots) != len(positions):
        raise ValueError("positions and knots do not match")
    matrix = finite(covariance)
    if matrix.shape != (len(positions), len(positions)):
        raise ValueError("the covariance has another size than the positions")
    np.linalg.cholesky(matrix)  # an error if it is not positive definite
    return Applicability(
        positions=tuple(int(at) for at in positions),
        knots=tuple(_knots(k) for k in knots),
        covariance=matrix,
        limit=number(table["limit"]),
        measured=tuple(finite(table["measured"]).tolist()),
        false_alarm_rate=number(table["false_alarm_rate"]),
        ranges=_ranges(table.get("ranges", [])),  # none in a pack that was made before there were any
    )


def _ranges(table: object) -> tuple[TrainingRange, ...]:
    if not isinstance(table, list):
        raise ValueError("ranges are not a list")
    found = tuple(TrainingRange(int(at), number(lowest), number(highest)) for at, lowest, highest in table)
    if any(each.lowest > each.highest for each in found) or len({each.position for each in found}) < len(found):
        raise ValueError("a range ends before it begins, or stands there twice")
    return found


def _knots(table: Mapping[str, object]) -> Knots:
    values, scores = (finite(table[key]) for key in ("values", "scores"))
    if len(values) < 2 or len(values) != len(scores) or np.any(np.diff(values) <= 0):
        raise ValueError("knots do not increase")
    return Knots(values, scores, number(table["lowest"]), number(table["highest"]))
