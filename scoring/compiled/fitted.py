"""A fitted model whose parts and scale are compiled: what a file is scored with."""

from __future__ import annotations

from dataclasses import replace

from model.copula import Copula
from model.fitted import FittedModel, GridSource, Part, ScaleModel, Situation
from model.tables import TreeTables
from scoring.compiled.copula import CompiledCopula
from scoring.compiled.tables import CompiledTables


def compiled(fitted: FittedModel) -> FittedModel:
    """The same model, many times as fast on many rows: every answer is the same to the last bit.

    The first rows that it answers wait for the compiler: some ten seconds of a core, once a machine, and under one
    second after that, because what was compiled is kept (`NUMBA_CACHE_DIR` says where).

    >>> import numpy as np
    >>> empty = TreeTables(1, 0, 2, *(np.zeros((0, 1), kind) for kind in ("i4", "f4", "?", "i4")),
    ...                    np.zeros((0, 2, 1), "i4"))
    >>> all_alike = Situation((Part(1.0, empty),), ScaleModel(0.5, 0.1, None), np.array([-1.0, 1.0]))
    >>> plain = FittedModel(("nfl",), (all_alike,), ())
    >>> compiled(plain).contributions(np.array([[30.0]])).tolist()
    [[0.0, 2.0]]
    """
    return replace(fitted, situations=tuple(_situation(each) for each in fitted.situations))


def _situation(situation: Situation) -> Situation:
    location = tuple(Part(part.weight, _source(part.source)) for part in situation.location)
    return replace(situation, location=location, scale=_scale(situation.scale))


def _scale(scale: ScaleModel) -> ScaleModel:
    return scale if scale.tables is None else replace(scale, tables=_source(scale.tables))


def _source(source: GridSource) -> GridSource:
    if isinstance(source, TreeTables):
        return CompiledTables(source)
    return CompiledCopula(source) if isinstance(source, Copula) else source
