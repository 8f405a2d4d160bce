"""What a pack holds, and how it becomes files: boosters in XGBoost's own JSON, tables as npz, the rest as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.matrix import DesignMatrix
from model.answer import PackRef
from model.applicability import Applicability, Knots
from model.canonical import canonical_json
from model.fitted import FittedModel, ScaleModel, TreePart
from model.golden import GoldenAnswer, golden_answers
from model.predictor import Predictor
from model.tables import TreeTables

UNBORN = "0" * 64  # the id of a pack whose manifest is not written yet


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything in a pack but its manifest."""

    name: str
    matrix: DesignMatrix
    fitted: FittedModel
    boosters: Mapping[str, bytes]  # XGBoost's JSON: location, and scale where the scale is not constant
    applicability: Applicability
    importance: tuple[float, ...]
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
    fitted, scale = contents.fitted, contents.fitted.scale
    model = {
        "name": contents.name,
        "columns": list(contents.matrix.columns),
        "scale": contents.matrix.scale,
        "location_weights": [part.weight for part in fitted.location],
        "error": {"constant": scale.constant, "floor": scale.floor, "varies": scale.tables is not None},
        "importance": list(contents.importance),
        "statement": contents.statement,
        "cohort_digest": contents.cohort_digest,
        "versions": dict(contents.versions),
    }
    golden = [{"record": g.record, "answer": g.answer} for g in golden_answers(contents.predictor())]
    return {
        "applicability.json": canonical_json(_applicability_to_json(contents.applicability)),
        "calibration.json": canonical_json({"residuals": fitted.residuals.tolist()}),
        "card.json": canonical_json(contents.card),
        "golden.json": canonical_json(golden),
        "location.json": contents.boosters["location"],
        "model.json": canonical_json(model),
        "scale.json": contents.boosters.get("scale", b"null\n"),
        "tables.npz": _tables_to_npz(fitted),
    }


def decode(files: Mapping[str, bytes]) -> Contents:
    """The contents of verified files.

    The boosters' JSON is kept for retraining and for the tests that hold the tables to it; answers come from the
    tables, so it is not parsed here.

    Raises:
        KeyError, TypeError, ValueError: a file does not hold what it should.
    """
    model = json.loads(files["model.json"])
    columns = tuple(model["columns"])
    tables = _tables_from_npz(files["tables.npz"])
    weights = model["location_weights"]
    parts = tuple(TreePart(float(w), tables[f"location{i}"]) for i, w in enumerate(weights))
    error = model["error"]
    scale = ScaleModel(
        float(error["constant"]), float(error["floor"]), tables["scale"] if error["varies"] else None
    )
    residuals = _finite(json.loads(files["calibration.json"])["residuals"], "calibration.json")
    if np.any(np.diff(residuals) < 0) or len(residuals) == 0:
        raise ValueError("calibration.json: residuals are not in ascending order")
    importance = tuple(float(share) for share in model["importance"])
    applicability = _applicability_from_json(json.loads(files["applicability.json"]))
    _check_widths(columns, parts, scale, importance, applicability)
    return Contents(
        name=str(model["name"]),
        matrix=DesignMatrix(columns, model["scale"]),
        fitted=FittedModel(columns, parts, scale, residuals),
        boosters={"location": files["location.json"], "scale": files["scale.json"]},
        applicability=applicability,
        importance=importance,
        statement=str(model["statement"]),
        card=dict(json.loads(files["card.json"])),
        cohort_digest=str(model["cohort_digest"]),
        versions={str(k): str(v) for k, v in model["versions"].items()},
        golden=tuple(GoldenAnswer(g["record"], g["answer"]) for g in json.loads(files["golden.json"])),
    )


def _check_widths(
    columns: tuple[str, ...],
    parts: tuple[TreePart, ...],
    scale: ScaleModel,
    importance: tuple[float, ...],
    applicability: Applicability,
) -> None:
    width = len(columns)
    wrong = [part.tables.n_features for part in parts if part.tables.n_features != width]
    if not parts or wrong or len(importance) != width:
        raise ValueError(f"model.json: {width} columns, but tables or importance of another width")
    if scale.tables is not None and scale.tables.n_features != width + 1:
        raise ValueError("tables.npz: the scale does not read the columns and the location")
    if len(applicability.measured) != width or any(not 0 <= at < width for at in applicability.positions):
        raise ValueError("applicability.json: positions or shares of another width")


def _tables_to_npz(fitted: FittedModel) -> bytes:
    arrays: dict[str, NDArray[np.generic]] = {}
    named = {f"location{i}": part.tables for i, part in enumerate(fitted.location)}
    if fitted.scale.tables is not None:
        named["scale"] = fitted.scale.tables
    for name, tables in named.items():
        arrays.update({f"{name}.{key}": value for key, value in tables.to_arrays().items()})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _tables_from_npz(data: bytes) -> dict[str, TreeTables]:
    grouped: dict[str, dict[str, NDArray[np.generic]]] = {}
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        for key in archive.files:
            name, _, field = key.partition(".")
            grouped.setdefault(name, {})[field] = archive[key]
    return {name: TreeTables.from_arrays(arrays) for name, arrays in grouped.items()}


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
        raise ValueError("applicability.json: positions and knots do not match")
    matrix = _finite(covariance, "applicability.json")
    if matrix.shape != (len(positions), len(positions)):
        raise ValueError("applicability.json: the covariance has another size than the positions")
    return Applicability(
        positions=tuple(int(at) for at in positions),
        knots=tuple(_knots(k) for k in knots),
        covariance=matrix,
        limit=_number(table["limit"]),
        measured=tuple(_finite(table["measured"], "applicability.json").tolist()),
        false_alarm_rate=_number(table["false_alarm_rate"]),
    )


def _knots(table: Mapping[str, object]) -> Knots:
    values, scores = (_finite(table[key], "applicability.json") for key in ("values", "scores"))
    if len(values) < 2 or len(values) != len(scores) or np.any(np.diff(values) <= 0):
        raise ValueError("applicability.json: knots do not increase")
    return Knots(values, scores, _number(table["lowest"]), _number(table["highest"]))


def _finite(value: object, file: str) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.array(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{file}: a number that is not finite")
    return array


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return float(value)
