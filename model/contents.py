"""What a pack holds, and how it becomes files: boosters in XGBoost's own JSON, tables as npz, the rest as JSON."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.answer import PackRef
from model.applicability import Applicability, Knots
from model.canonical import canonical_json
from model.copula import Copula
from model.fitted import SITUATIONS, FittedModel, Part, ScaleModel, ScoreRange, Situation
from model.golden import GoldenAnswer, golden_answers
from model.predictor import Predictor
from model.tables import TreeTables

Source = TreeTables | Copula  # what a part of the location weighs
UNBORN = "0" * 64  # the id of a pack whose manifest is not written yet
BOOSTERS = (
    "location",
    "scale",
    *(f"{situation}_{part}" for situation in SITUATIONS for part in ("location", "scale")),
)
"""Names of boosters: the first two where one situation answers for all, the others where there are two."""
NO_BOOSTER = b"null\n"
LARGEST_TABLES = 2**30  # bytes of all tables, unpacked


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
        "history": list(fitted.history),
        "situations": [_situation_to_json(situation) for situation in fitted.situations],
        "importance": [list(shares) for shares in contents.importance],
        "score": None if fitted.score is None else asdict(fitted.score),
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
        "tables.npz": _tables_to_npz(fitted),
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
        sources = _sources_from_npz(files["tables.npz"])
    with reading("calibration.json"):
        residuals = _residuals(parse_json(files["calibration.json"]))
    with reading("applicability.json"):
        applicability = _applicability_from_json(parse_json(files["applicability.json"]))
    with reading("card.json"):
        card = dict(parse_json(files["card.json"]))
    with reading("golden.json"):
        golden = tuple(GoldenAnswer(g["record"], g["answer"]) for g in parse_json(files["golden.json"]))
    with reading("model.json"):
        model = parse_json(files["model.json"])
        columns = tuple(model["columns"])
        if not 1 <= len(model["situations"]) == len(residuals) <= len(SITUATIONS):
            raise ValueError(f"{len(model['situations'])} situations, but {len(residuals)} lists of residuals")
        situations = tuple(
            _situation(table, sources, number, residuals[number])
            for number, table in enumerate(model["situations"])
        )
        history = tuple(int(at) for at in model["history"])
        importance = tuple(tuple(_number(share) for share in shares) for shares in model["importance"])
        _check_widths(columns, situations, importance, applicability)
        score = _score_range(model["score"], len(columns))
        if any(not 0 <= at < len(columns) for at in history) or bool(history) != (len(situations) > 1):
            raise ValueError("a history that does not fit columns and situations")
        return Contents(
            name=str(model["name"]),
            matrix=DesignMatrix(columns, model["scale"]),
            fitted=FittedModel(columns, situations, history, score),
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


def _residuals(table: Mapping[str, object]) -> list[NDArray[np.float64]]:
    lists = table["residuals"]
    if not isinstance(lists, list):
        raise TypeError("residuals are not one list a situation")
    found = [_finite(each) for each in lists]
    if any(each.ndim != 1 or len(each) == 0 or np.any(np.diff(each) < 0) for each in found):
        raise ValueError("residuals are not a list in ascending order")
    return found


def _score_range(table: Mapping[str, object] | None, width: int) -> ScoreRange | None:
    if table is None:
        return None
    position, maximum, months = int(_number(table["position"])), _number(table["maximum"]), _number(table["months"])
    if not 0 <= position < width or maximum <= 0 or months <= 0:
        raise ValueError(f"a score {dict(table)} that bounds nothing")
    return ScoreRange(position, maximum, months)


def _situation_to_json(situation: Situation) -> dict[str, object]:
    scale = situation.scale
    return {
        "location": [{"kind": part.kind, "weight": part.weight} for part in situation.location],
        "error": {
            "constant": scale.constant,
            "floor": scale.floor,
            "slope": scale.slope,
            "centre": scale.centre,
            "trees": scale.tables is not None,
        },
    }


def _situation(
    table: Mapping[str, Any], sources: Mapping[str, Source], number: int, residuals: NDArray[np.float64]
) -> Situation:
    parts = tuple(_part(part, sources[f"location{number}_{i}"]) for i, part in enumerate(table["location"]))
    return Situation(parts, _scale_model(table["error"], sources.get(f"scale{number}")), residuals)


def _part(table: Mapping[str, object], source: Source) -> Part:
    weight = _number(table["weight"])
    part = Part(weight, source)
    if weight <= 0 or part.kind != table["kind"]:
        raise ValueError(f"a part {dict(table)}, but tables.npz has {part.kind}")
    return part


def _scale_model(table: Mapping[str, object], tables: Source | None) -> ScaleModel:
    constant, floor = _number(table["constant"]), _number(table["floor"])
    if constant <= 0 or floor <= 0:
        raise ValueError("an error that is not above 0")
    if isinstance(tables, Copula) or (tables is not None) != table["trees"]:
        raise ValueError(f"an error {dict(table)} that tables.npz does not have")
    return ScaleModel(constant, floor, tables, _number(table["slope"]), _number(table["centre"]))


def _check_widths(
    columns: tuple[str, ...],
    situations: tuple[Situation, ...],
    importance: tuple[tuple[float, ...], ...],
    applicability: Applicability,
) -> None:
    width = len(columns)
    for situation in situations:
        parts, scale = situation.location, situation.scale
        if not parts or any(part.source.n_features != width for part in parts):
            raise ValueError(f"{width} columns, but tables of another width")
        if scale.tables is not None and scale.tables.n_features != width + 1:
            raise ValueError("a scale in tables.npz does not read the columns and the location")
    if [len(shares) for shares in importance] != [width] * len(situations):
        raise ValueError(f"importance is not {width} shares for each of {len(situations)} situations")
    if len(applicability.measured) != width or any(not 0 <= at < width for at in applicability.positions):
        raise ValueError("positions or shares in applicability.json are of another width")


def _tables_to_npz(fitted: FittedModel) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {}
    named = {}
    for number, situation in enumerate(fitted.situations):
        for i, part in enumerate(situation.location):
            named[f"location{number}_{i}"] = part.source.to_arrays()
        if situation.scale.tables is not None:
            named[f"scale{number}"] = situation.scale.tables.to_arrays()
    for name, found in named.items():
        arrays.update({f"{name}.{key}": value for key, value in found.items()})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _sources_from_npz(data: bytes) -> dict[str, Source]:
    """What the parts and the scale answer from, by name."""
    grouped: dict[str, dict[str, NDArray[np.generic]]] = {}
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        if sum(entry.file_size for entry in archive.zip.infolist()) > LARGEST_TABLES:
            raise ValueError(f"unpacks to more than {LARGEST_TABLES} bytes")
        for key in archive.files:
            name, _, field = key.partition(".")
            grouped.setdefault(name, {})[field] = archive[key]
    return {
        name: Copula.from_arrays(arrays) if "covariance" in arrays else TreeTables.from_arrays(arrays)
        for name, arrays in grouped.items()
    }


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
    }


def _applicability_from_json(table: Mapping[str, object]) -> Applicability:
    positions, knots, covariance = table["positions"], table["knots"], table["covariance"]
    if not isinstance(positions, list) or not isinstance(knots, list) or len(knots) != len(positions):
        raise ValueError("positions and knots do not match")
    matrix = _finite(covariance)
    if matrix.shape != (len(positions), len(positions)):
        raise ValueError("the covariance has another size than the positions")
    np.linalg.cholesky(matrix)  # an error if it is not positive definite
    return Applicability(
        positions=tuple(int(at) for at in positions),
        knots=tuple(_knots(k) for k in knots),
        covariance=matrix,
        limit=_number(table["limit"]),
        measured=tuple(_finite(table["measured"]).tolist()),
        false_alarm_rate=_number(table["false_alarm_rate"]),
    )


def _knots(table: Mapping[str, object]) -> Knots:
    values, scores = (_finite(table[key]) for key in ("values", "scores"))
    if len(values) < 2 or len(values) != len(scores) or np.any(np.diff(values) <= 0):
        raise ValueError("knots do not increase")
    return Knots(values, scores, _number(table["lowest"]), _number(table["highest"]))


def _finite(value: object) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.array(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("a number that is not finite")
    return array


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return float(value)
