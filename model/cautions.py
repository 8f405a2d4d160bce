"""When a prediction carries a caution, and when no number is given at all. One rule a line in two lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from features.change import surprise
from features.consistency import COMPLETED_FROM
from features.derive import CHANGE, DRAWN, SCALE_MAXIMUM, Readings, comparable, qualified
from features.feature import Feature
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord
from features.units import DAYS_PER_MONTH, amount, plain
from features.vocabulary import UNKNOWN, Quantity, vocabulary
from model.answer import Caution, Reason
from model.applicability import Applicability
from model.unused import (
    change_over_short_span,
    diagnosis_after_visit,
    earlier_not_used,
    limit_not_in_change,
    not_an_input,
    taken,
)

OLDEST_SCORE_MONTHS = 12.0  # the horizon of the prediction itself: an older score says nothing of the next year
LARGEST_UNSEEN_SHARE = 0.1  # of all contributions, that may rest on inputs whose absence nobody taught (assumption)
MOST_MISSING_SHARE = 0.5  # of all contributions: from here on, that little is known is worth a caution (assumption)
NAMED_MISSING = 5
NAMED_UNLIKE = 3
VENTILATED = (
    "alsfrs_ventilation",
    "alsfrs_breathing",
)  # 0: invasive ventilation; on the older scale, dependence on it
MOST_TIMES_BEYOND = 3.0  # the range of training: a rare patient by 1.5, a wrong unit by more; docs/decisions/0011
MOST_SURPRISING = 5.0  # standard deviations of a score from its course so far: docs/decisions/0017
IMPORTANT_SHARE = 0.05  # a missing input is worth a caution if it carries at least this share of all contributions


@dataclass(frozen=True, eq=False)
class Case:
    """One record before it is answered: all that a rule may look at."""

    record: PatientRecord
    readings: Readings  # all of the record, by quantity
    derived: Mapping[str, float]  # every feature of the record, by column
    row: NDArray[np.float64]  # (p,) those of the model, in its order
    matrix: DesignMatrix
    importance: tuple[float, ...]  # (p,) share of all contributions in training, in the situation of the record
    applicability: Applicability
    possible: bool  # whether the score leaves room for the estimate

    @property
    def score_age_months(self) -> float | None:
        """Months from the last functional score on the pack's scale to the index visit; None without one."""
        return self.derived.get(self.matrix.scale + DRAWN)

    @cached_property
    def gaps(self) -> list[int]:
        """Positions of what is not available, the weightiest first."""
        values = self.row.tolist()
        return [at for at in _by_weight(self.importance) if values[at] != values[at]]

    @cached_property
    def outside(self) -> list[int]:
        """Positions of values outside the range that training saw."""
        return self.applicability.outside(self.row)

    @cached_property
    def measured_inputs(self) -> list[Quantity]:
        """Quantities of the model that the record has, as sent or computed from others, and comparable."""
        return [quantity for name, quantity in self.matrix.quantities.items() if name in self.readings]

    def of_qualified(self, quantity: Quantity) -> tuple[list[Measurement], list[Measurement]]:
        """What was sent of a quantity that has qualifiers: measured as in training, and otherwise."""
        made = [v.measurements[quantity.name] for v in self.record.visits if quantity.name in v.measurements]
        known = [item for item in made if comparable(quantity, item, self.matrix.measured_as)]
        return known, [item for item in made if item not in known]


@lru_cache(16)
def _by_weight(importance: tuple[float, ...]) -> tuple[int, ...]:
    """Positions, the largest share first."""
    return tuple(np.argsort(-np.array(importance), kind="stable").tolist())


def _important_missing(case: Case) -> list[Caution]:
    """Inputs that weigh much alone, or the weightiest of many that together weigh as much as all that is there."""
    gaps = case.gaps
    heavy = [at for at in gaps if case.importance[at] >= IMPORTANT_SHARE]
    together = sum(case.importance[at] for at in gaps)
    if together >= MOST_MISSING_SHARE:
        heavy = gaps[: max(len(heavy), NAMED_MISSING)]
    if not heavy:
        return []
    missing = [case.matrix.features[at] for at in heavy]
    names = "; ".join(feature.label for feature in missing)
    words = f"Not available, though it weighs in this model: {names}."
    if together >= MOST_MISSING_SHARE:
        words = f"{words} All that is not available makes up {together:.0%} of what this model weighs."
    return [Caution("missing_input", tuple(feature.column for feature in missing), words)]


def _unseen_gap(case: Case) -> list[Caution]:
    features = [case.matrix.features[at] for at in case.applicability.unseen_gaps(case.row)]
    if not features:
        return []
    names = "; ".join(feature.label for feature in features)
    words = f"Not available, though every training patient had it, so its absence was not learnt: {names}."
    return [Caution("never_missing_in_training", tuple(feature.column for feature in features), words)]


def _stale(case: Case) -> list[Caution]:
    found = []
    for quantity in case.measured_inputs:
        age, limit = case.derived.get(quantity.column + DRAWN), quantity.stale_after_months
        if age is not None and limit is not None and age > limit:
            words = f"{quantity.label} was measured {age:.1f} months before the index visit (limit {plain(limit)})."
            found.append(Caution("stale_input", (quantity.column,), words))
    return found


def _approximate_onset(case: Case) -> list[Caution]:
    """An onset known to the month or the year, and what that leaves open of the decline so far."""
    margin = case.record.onset_margin_months
    columns = tuple(column for column in ("months_since_onset", "delta_fs") if column in case.matrix.columns)
    if margin == 0.0 or not columns:
        return []
    words = (
        "The onset is known to the month or the year alone, and its middle was used: months since onset may be "
        f"{margin:.1f} less or more"
    )
    slower = faster = None
    if "delta_fs" in columns and "delta_fs" in case.derived:
        month = case.readings[case.matrix.scale][-1][0]
        lost = case.derived["delta_fs"] * month
        slower, faster = lost / (month + margin), lost / (month - margin) if month > margin else None
    if slower is not None:
        upper = "any higher value" if faster is None else f"{faster:.2f}"
        words += f", the decline since onset (delta-FS) {slower:.2f} to {upper} points/month"
    return [Caution("approximate_onset", columns, f"{words}. Send onset_date to the day if it is known.")]


def _approximate_age(case: Case) -> list[Caution]:
    """A birth known to the month or the year."""
    margin = case.record.age_margin_years
    if margin == 0.0 or "age_years" not in case.matrix.columns:
        return []
    words = (
        "The birth is known to the month or the year alone, and its middle was used: the age may be "
        f"{margin:.2f} years less or more."
    )
    return [Caution("approximate_age", ("age_years",), words)]


def _outside_training(case: Case) -> list[Caution]:
    found = []
    for at in case.outside:
        feature, seen = case.matrix.features[at], case.applicability.range_of[at]
        words = (
            f"{feature.label}, {_shown(case.row[at], feature)}, is outside the range in which nearly all of the "
            f"training cohort lies, {seen.lowest:.3g} to {_shown(seen.highest, feature)}."
        )
        found.append(Caution("outside_training_range", (feature.column,), words))
    return found


def _shown(value: float, feature: Feature) -> str:
    """With three digits and its unit.

    >>> _shown(-6.6667, DesignMatrix(("alsfrs_r_total_change_per_month",)).features[0])
    '-6.67 points/month'
    """
    return amount(f"{value:.3g}", "points/month" if feature.unit == "({score})/mo" else feature.unit)


def _implausible_change(case: Case) -> list[Caution]:
    """A score that ran away from its course so far: by the noise of a score, not by any patient of training."""
    scale = case.matrix.scale
    readings = [(month, item.value) for month, item in case.readings.get(scale, ()) if item.comparator is None]
    column = vocabulary().quantities[scale].column + CHANGE
    if len(readings) < 2 or column not in case.matrix.columns:
        return []
    if not abs(surprise(readings, SCALE_MAXIMUM[scale])) > MOST_SURPRISING:
        return []
    points, days = readings[-1][1] - readings[0][1], (readings[-1][0] - readings[0][0]) * DAYS_PER_MONTH
    words = (
        f"The {vocabulary().quantities[scale].label} changed by {points:+.0f} points over {days:.0f} days: much "
        "more than its course before and the noise of a score let expect. Check the scores and their dates; if "
        "they are right, the estimate rests on few such patients."
    )
    return [Caution("implausible_change", (column,), words)]


def _at_limit(case: Case) -> list[Caution]:
    found = []
    for quantity in case.measured_inputs:
        last = case.readings[quantity.name][-1][1]
        if last.comparator is not None:
            side = "below" if last.comparator == "<" else "above"
            words = f"{quantity.label} is {side} a limit; the limit, {plain(last.value)} {quantity.unit}, was used."
            found.append(Caution("beyond_limit", (quantity.column,), words))
    return found


def _not_comparable(case: Case) -> list[Caution]:
    found = []
    for quantity in qualified():
        unused = case.of_qualified(quantity)[1] if quantity.name in taken(case.matrix) else []
        if unused:
            known = case.matrix.measured_as.get(quantity.name)
            knows = "was trained without it" if known is None else f"knows {quantity.words(known)} only"
            words = (
                f"{quantity.label}, {quantity.words(unused[-1].qualifiers)}, was not used: this model {knows}, and "
                "values that were measured otherwise are never converted. Send a value that was measured so, or "
                "train on values like yours."
            )
            found.append(Caution("not_comparable", (quantity.column,), words))
    return found


def _measured_unknown_way(case: Case) -> list[Caution]:
    found = []
    for quantity in qualified():
        said = case.matrix.measured_as.get(quantity.name, ())
        unknown = [vocabulary().qualifiers[name].label for name, value in said if value == UNKNOWN]
        if unknown and quantity.name in taken(case.matrix) and case.of_qualified(quantity)[0]:
            words = (
                f"{quantity.label} was used though nobody says with which {' and '.join(unknown)} it was measured: "
                "nor do the values that this model was trained on. If yours was measured otherwise than those, the "
                "estimate is wrong; ask the laboratory."
            )
            found.append(Caution("measured_unknown_way", (quantity.column,), words))
    return found


def _no_score(case: Case) -> list[Reason]:
    scale, label = case.matrix.scale, vocabulary().quantities[case.matrix.scale].label
    age = case.score_age_months
    if age is None:
        return [_no_total(case, label)]
    if age > OLDEST_SCORE_MONTHS:
        words = (
            f"The last {label} ({scale}) is more than a year older than the index visit. Send the one of the index "
            "visit, or of a visit in the year before it."
        )
        return [Reason("functional_score_too_old", (scale,), words)]
    return []


def _no_total(case: Case, label: str) -> Reason:
    """No total and, where items of it were sent, which of the same visit are missing."""
    scale = case.matrix.scale
    words = f"There is no {label} ({scale}) in the record, and this model counts in its points."
    others = [name for name in SCALE_MAXIMUM if name != scale and name in case.readings]
    if others:
        words += f" {_named(others)} is of another scale, and cannot stand in its place."
    items = COMPLETED_FROM[scale]
    partly = [v for v in case.record.visits if any(item in v.measurements for item in items)]
    if partly:
        missing = tuple(item for item in items if item not in partly[-1].measurements)
        words += (
            f" Of its items, the last visit that has any lacks {', '.join(missing)}. Send the total, or all items "
            "of one visit."
        )
        return Reason("no_functional_score", (scale, *missing), words)
    return Reason("no_functional_score", (scale,), f"{words} Send the total, or all of its items.")


def _invasive_ventilation(case: Case) -> list[Reason]:
    """Ventilated through a tube or a tracheostomy: the score then says little of the disease."""
    fields = tuple(item for item in VENTILATED if item in case.readings and case.readings[item][-1][1].value == 0.0)
    if not fields:
        return []
    words = (
        f"By {_named(fields)} the patient is on invasive ventilation; this model is of people who breathe without "
        "it. There is no estimate; check the item if that is not so."
    )
    return [Reason("invasive_ventilation", fields, words)]


def _too_little(case: Case) -> list[Reason]:
    gaps = case.applicability.unseen_gaps(case.row)
    if sum(case.importance[at] for at in gaps) <= LARGEST_UNSEEN_SHARE:
        return []
    fields = _fields(case, gaps)
    words = (
        f"Inputs that every training patient had, and that weigh in this model, are missing: {_named(fields)}. "
        "Send them; without them this model has no answer."
    )
    return [Reason("too_little_to_go_on", fields, words)]


def _no_room(case: Case) -> list[Reason]:
    if case.possible:
        return []
    scale = case.matrix.scale
    words = (
        f"The {vocabulary().quantities[scale].label} ({scale}) is too near the end of its scale: the estimate "
        "would take it beyond within the three months that an outcome needs at least. Check the score; if it is "
        "right, this model has no answer."
    )
    return [Reason("score_near_its_end", (scale,), words)]


def _far_outside(case: Case) -> list[Reason]:
    """Many times beyond what training saw: in a wrong unit, or of a patient whom the model does not know."""
    beyond = [
        at
        for at in case.outside
        if is_amount(case.matrix.features[at]) and case.applicability.times_beyond(case.row, at) > MOST_TIMES_BEYOND
    ]
    if not beyond:
        return []
    fields = _fields(case, beyond)
    words = (
        f"Many times beyond the range in which nearly all of the training cohort lies: {_named(fields)}. Check "
        "value and unit; if they are right, this model does not know such patients."
    )
    return [Reason("far_outside_training_range", fields, words)]


def is_amount(feature: Feature) -> bool:
    """Whether it is a measured amount, of which twice as much means something: no score, change or age."""
    quantity = vocabulary().quantities.get(feature.quantity or "")
    return feature.kind == "last" and quantity is not None and not quantity.integer


def _unlike(case: Case) -> list[Reason]:
    if not case.applicability.is_unlike(case.row):
        return []
    fields = _fields(case, case.applicability.furthest(case.row, NAMED_UNLIKE))
    words = (
        "The patient is unlike the training cohort: taken together, the measured values are further from it than "
        f"those of almost all of its patients. What is most unlike it, given the others: {_named(fields)}. Check "
        "these values, their units and their dates; if they are right, this model does not know such patients."
    )
    return [Reason("unlike_training_cohort", fields, words)]


def _fields(case: Case, positions: Iterable[int]) -> tuple[str, ...]:
    """The keys of a record that features are made of, each once; delta-FS is made of the score."""
    features = [case.matrix.features[at] for at in positions]
    categories = {column: name for name, known in vocabulary().categories.items() for column in known.columns}
    found = (feature.quantity or categories.get(feature.column, case.matrix.scale) for feature in features)
    return tuple(dict.fromkeys(found))


def _named(fields: Iterable[str]) -> str:
    """Keys of a record, each with what it means.

    >>> _named(("nfl", "sex"))
    'nfl (Neurofilament light chain, blood), sex (Sex)'
    """
    words = vocabulary()
    labels = {name: quantity.label for name, quantity in words.quantities.items()}
    labels |= {name: category.label for name, category in words.categories.items()}
    return ", ".join(f"{field} ({labels[field]})" for field in fields)


CAUTIONS: tuple[Callable[[Case], list[Caution]], ...] = (
    _important_missing,
    _unseen_gap,
    _stale,
    _approximate_onset,
    _approximate_age,
    _outside_training,
    _implausible_change,
    _at_limit,
    _not_comparable,
    _measured_unknown_way,
    not_an_input,
    diagnosis_after_visit,
    earlier_not_used,
    limit_not_in_change,
    change_over_short_span,
)
ABSTENTIONS: tuple[Callable[[Case], list[Reason]], ...] = (
    _no_score,
    _invasive_ventilation,
    _too_little,
    _no_room,
    _far_outside,
    _unlike,
)


def cautions(case: Case) -> tuple[Caution, ...]:
    """Every caution that a prediction for this case carries."""
    return tuple(caution for rule in CAUTIONS for caution in rule(case))


def abstentions(case: Case) -> tuple[Reason, ...]:
    """Every reason not to answer this case."""
    return tuple(reason for rule in ABSTENTIONS for reason in rule(case))
