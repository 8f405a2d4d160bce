"""Rules about columns: headers that are not read, columns that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from features.derive import SCALE_MAXIMUM
from features.headers import remedy_of, rule_of
from features.table import COMPARATOR, absent
from features.vocabulary import vocabulary
from training.contract.contract_finding import Finding, Material, Severity
from training.examples import FEWEST_MEASURED, matrix_of
from training.foretelling import STRONGEST, foretelling
from training.ways import other_ways

FEWEST_CONSTANT = 10
"""Assumption: fewer equal values are a coincidence."""
MOST_ZEROS = 0.02
"""Assumption: a substance that assays find in all adults is 0 in hardly any."""


def unused_headers(material: Material) -> Iterator[Finding]:
    """Headers that no column is read from; a warning where one is, or is like, a column that is not there."""
    found = material.table.headers
    for header in found.not_read:
        if header in found.near:
            near = found.near[header]
            rule, remedy = rule_of(header, near), remedy_of(header, near)
            yield Finding(Severity.WARNING, "near_header", rule, remedy, column=header)
        else:
            remedy = "nothing need be done, unless it holds a quantity that `tregcast vocabulary` lists"
            yield Finding(Severity.NOTE, "unused_header", "is not read", remedy, column=header)


def empty_columns(material: Material) -> Iterator[Finding]:
    """Columns without a value."""
    for column in material.table.columns:
        if column.endswith(COMPARATOR):
            continue  # no value was below a limit
        if all(absent(row.get(column)) for row in material.table.rows):
            rule, remedy = "has no value", "nothing need be done, if it was not measured"
            yield Finding(Severity.NOTE, "empty_column", rule, remedy, column=column)


def constant_columns(material: Material) -> Iterator[Finding]:
    """Measurements that have one value throughout, and categories that do."""
    words = vocabulary()
    for column in material.table.columns:
        if column not in words.by_column and column not in words.categories:
            continue
        cells = [str(row[column]) for row in material.table.rows if not absent(row.get(column))]
        if len(cells) < FEWEST_CONSTANT or len(set(cells)) > 1:
            continue
        measured = column in words.by_column
        yield Finding(
            Severity.WARNING if measured else Severity.NOTE,
            "constant_column",
            f"is the one value of all {len(cells)} cells: it tells no patients apart and becomes no feature",
            "a default of the export? Leave the cells empty where nothing was measured"
            if measured
            else "nothing need be done",
            column=column,
            value=cells[0],
        )


def foretells_outcome(material: Material) -> Iterator[Finding]:
    """Features that know the outcome: the model would learn to read it off, and fail where it is not known yet."""
    if not material.examples:
        return
    for column, correlation in foretelling(matrix_of(material.examples, material.table.scale)).items():
        yield Finding(
            Severity.WARNING,
            "foretells_outcome",
            f"is the rank correlation with the rate to come, at or above {STRONGEST:g} (assumption; the strongest "
            "published marker has 0.65): no honest marker knows so much",
            "make sure that it was measured at its visit, and not computed from later ones",
            column=column,
            value=f"{correlation:.2f}",
        )


def measured_otherwise(material: Material) -> Iterator[Finding]:
    """Values that were measured otherwise than most of their quantity: training leaves them out."""
    for other in other_ways([record for _, record in material.records]):
        words = other.quantity.words
        yield Finding(
            Severity.WARNING,
            "measured_otherwise",
            f"values, {words(other.measured)}, are left out of training: most have {words(other.usual)}, and "
            "values that were measured in different ways are never mixed or converted",
            "train on each in a cohort of its own, or leave them out",
            column=other.quantity.column,
            value=str(other.readings),
        )


def zeros(material: Material) -> Iterator[Finding]:
    """Zeros where a substance or a size cannot be 0: often an export's word for not measured."""
    for column, found in material.readings.items():
        quantity = found.quantity
        if quantity.level == "patient" or quantity.integer or quantity.plausible[0] != 0.0 or column in _MAY_BE_0:
            continue  # where 0 is out of range, the parser refuses it
        share = float(np.mean(found.exact.values == 0.0)) if len(found.exact.values) else 0.0
        if share > MOST_ZEROS:
            yield Finding(
                Severity.WARNING,
                "zeros",
                f"of the values are 0, more than {MOST_ZEROS:.0%} (an assumption), and would be used as measured",
                "leave the cell empty where nothing was measured; write <LIMIT where it was below detection",
                column=column,
                value=f"{share:.0%}",
            )


def rare_columns(material: Material) -> Iterator[Finding]:
    """Measurements too rare to become a feature."""
    for column, found in material.readings.items():
        if found.quantity.level == "visit" and len(found.rows) < FEWEST_MEASURED:
            rule = f"visits with a value; training makes a feature of what at least {FEWEST_MEASURED} examples have"
            remedy = "nothing need be done"
            value = str(len(found.rows))
            yield Finding(Severity.NOTE, "rare_column", rule, remedy, column=column, value=value)


def two_scales(material: Material) -> Iterator[Finding]:
    """Both functional scales: the outcome counts the points of one."""
    there = [scale for scale in SCALE_MAXIMUM if scale in material.readings]
    if len(there) > 1:
        rule = f"is the scale whose points the outcome counts, though {' and '.join(there)} are there"
        remedy = 'another one is chosen by scale = "..." in the mapping'
        yield Finding(Severity.NOTE, "two_scales", rule, remedy, column=material.table.scale)


def provenance(material: Material) -> Iterator[Finding]:
    """A cohort that does not say where its patients come from."""
    if not material.table.states_provenance:
        rule = "is not stated; the model will say so in every answer"
        remedy = 'write provenance = "real: ..." into the mapping, or a column provenance'
        yield Finding(Severity.NOTE, "no_provenance", rule, remedy, column="provenance")


_MAY_BE_0 = frozenset({"chit1_ng_ml", "fvc_l"})
"""9 % of people carry no CHIT1 enzyme (Steinacker 2021); PRO-ACT has a capacity of 0 where none can be blown."""
