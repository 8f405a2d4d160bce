"""A fitted model as a pack keeps it: its numbers as JSON, its tables as npz. What is read is not trusted."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checked_numbers import finite, number
from model.copula import Copula
from model.fitted import SITUATIONS, FittedModel, Part, ScaleModel, ScoreRange, Situation
from model.tables import TreeTables

Floats = NDArray[np.float64]
Source = TreeTables | Copula  # what a part of the location weighs
LARGEST_TABLES = 2**30  # bytes of all tables, unpacked


def fitted_to_json(fitted: FittedModel) -> dict[str, object]:
    """All but the tables and the residuals."""
    return {
        "history": list(fitted.history),
        "situations": [_situation_to_json(situation) for situation in fitted.situations],
        "score": None if fitted.score is None else asdict(fitted.score),
    }


def fitted_from_json(
    table: Mapping[str, Any], columns: tuple[str, ...], sources: Mapping[str, Source], residuals: Sequence[Floats]
) -> FittedModel:
    """The inverse of `fitted_to_json`, with what `tables_from_npz` and `residuals_from_json` found.

    Raises:
        ValueError, TypeError, KeyError: something is missing, of a wrong kind, or does not fit the rest.
    """
    if not 1 <= len(table["situations"]) == len(residuals) <= len(SITUATIONS):
        raise ValueError(f"{len(table['situations'])} situations, but {len(residuals)} lists of residuals")
    situations = tuple(_situation(each, sources, at, residuals[at]) for at, each in enumerate(table["situations"]))
    for situation in situations:
        _check_width(situation, len(columns))
    history = tuple(int(at) for at in table["history"])
    if any(not 0 <= at < len(columns) for at in history) or bool(history) != (len(situations) > 1):
        raise ValueError("a history that does not fit columns and situations")
    return FittedModel(columns, situations, history, _score_range(table["score"], len(columns)))


def tables_to_npz(fitted: FittedModel) -> bytes:
    """What the parts and the scales answer from."""
    arrays: dict[str, NDArray[np.generic]] = {}
    named = {}
    for at, situation in enumerate(fitted.situations):
        for i, part in enumerate(situation.location):
            named[f"location{at}_{i}"] = part.source.to_arrays()
        if situation.scale.tables is not None:
            named[f"scale{at}"] = situation.scale.tables.to_arrays()
    for name, found in named.items():
        arrays.update({f"{name}.{key}": value for key, value in found.items()})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def tables_from_npz(data: bytes) -> dict[str, Source]:
    """What the parts and the scales answer from, by name.

    Raises:
        ValueError: an array is wrong, or all are too large.
    """
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


def residuals_from_json(table: Mapping[str, object]) -> list[Floats]:
    """Ascending residuals (m,) of each situation.

    Raises:
        ValueError, TypeError, KeyError: they are not.
    """
    lists = table["residuals"]
    if not isinstance(lists, list):
        raise TypeError("residuals are not one list a situation")
    found = [finite(each) for each in lists]
    if any(each.ndim != 1 or len(each) == 0 or np.any(np.diff(each) < 0) for each in found):
        raise ValueError("residuals are not a list in ascending order")
    return found


def _score_range(table: Mapping[str, object] | None, width: int) -> ScoreRange | None:
    if table is None:
        return None
    position, maximum, months = int(number(table["position"])), number(table["maximum"]), number(table["months"])
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


def _situation(table: Mapping[str, Any], sources: Mapping[str, Source], at: int, residuals: Floats) -> Situation:
    parts = tuple(_part(part, sources[f"location{at}_{i}"]) for i, part in enumerate(table["location"]))
    return Situation(parts, _scale_model(table["error"], sources.get(f"scale{at}")), residuals)


def _part(table: Mapping[str, object], source: Source) -> Part:
    weight = number(table["weight"])
    part = Part(weight, source)
    if weight <= 0 or part.kind != table["kind"]:
        raise ValueError(f"a part {dict(table)}, but tables.npz has {part.kind}")
    return part


def _scale_model(table: Mapping[str, object], tables: Source | None) -> ScaleModel:
    constant, floor = number(table["constant"]), number(table["floor"])
    if constant <= 0 or floor <= 0:
        raise ValueError("an error that is not above 0")
    if isinstance(tables, Copula) or (tables is not None) != table["trees"]:
        raise ValueError(f"an error {dict(table)} that tables.npz does not have")
    return ScaleModel(constant, floor, tables, number(table["slope"]), number(table["centre"]))


def _check_width(situation: Situation, width: int) -> None:
    parts, scale = situation.location, situation.scale
    if not parts or any(part.source.n_features != width for part in parts):
        raise ValueError(f"{width} columns, but tables of another width")
    if scale.tables is not None and scale.tables.n_features != width + 1:
        raise ValueError("a scale in tables.npz does not read the columns and the location")
