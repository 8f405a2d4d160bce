"""When a prediction carries a caution, and when no number is given at all. One rule a line in two lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from features.consistency import COMPLETED_FROM
from features.derive import DRAWN, Readings, comparable, qualified
from features.feature import Feature
from features.matrix import DesignMatrix
from features.record import Measurement, PatientRecord
from features.units import plain
from features.vocabulary import UNKNOWN, Quantity, vocabulary
from model.answer import Caution, Reason
from model.applicability import Applicability

OLDEST_SCORE_MONTHS = 12.0  # the horizon of the prediction itself: an older score says nothing of the next year
LARGEST_UNSEEN_SHARE = 0.1  # of all contributions, that may rest on inputs whose absence nobody taught (assumption)
MOST_MISSING_SHARE = 0.5  # of all contributions: from here on, that little is known is worth a caution (assumption)
NAMED_MISSING = 5
MOST_TIMES_BEYOND = 3.0  # the range of training: a rare patient by 1.5, a wrong unit by more; docs/decisions/0011
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
        """Quantities of the model that the record has as sent (not computed from others), and comparable."""
        sent = {name for visit in self.record.visits for name in visit.measurements}
        sent -= {quantity.name for quantity in qualified() if not self.of_qualified(quantity)[0]}
        return [quantity for name, quantity in self.matrix.quantities.items() if name in sent]

    def of_qualified(self, quantity: Quantity) -> tuple[list[Measurement], list[Measurement]]:
        """What was sent of a quantity that has qualifiers: measured as in training, and otherwise."""
        made = [v.measurements[quantity.name] for v in self.record.visits if quantity.name in v.measurements]
        known = [item for item in made if comparable(quantity, item, self.matrix.measured_as)]
        return known, [item for item in made if item not in known]


@lru_cache(16)
def _by_weight(importance: tuple[float, ...]) -> tuple[int, ...]:
    """Positions, the largest share first."""
    return tuple(np.argsort(-np.array(importance), kind="stable").tolist())


@lru_cache(16)
def taken(matrix: DesignMatrix) -> frozenset[str]:
    """The quantities that change an answer: those of the features, and the parts that they are completed from."""
    names = set(matrix.quantities)
    return frozenset(names | {part for name in names for part in COMPLETED_FROM.get(name, ())})


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


def _outside_training(case: Case) -> list[Caution]:
    found = []
    for at in case.outside:
        feature = case.matrix.features[at]
        words = f"{feature.label} is outside the range that the training cohort covers."
        found.append(Caution("outside_training_range", (feature.column,), words))
    return found


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


def _not_an_input(case: Case) -> list[Caution]:
    sent = {name for visit in case.record.visits for name in visit.measurements}
    unused = sent - taken(case.matrix)
    if not unused:
        return []
    ignored = [quantity for name, quantity in vocabulary().quantities.items() if name in unused]
    names = "; ".join(quantity.label for quantity in ignored)
    words = f"Sent, but not known to this model and not used: {names}."
    return [Caution("not_an_input", tuple(quantity.column for quantity in ignored), words)]


def _no_score(case: Case) -> list[Reason]:
    label = vocabulary().quantities[case.matrix.scale].label
    age = case.score_age_months
    if age is None:
        return [
            Reason("no_functional_score", f"There is no {label} in the record; this model counts in its points.")
        ]
    if age > OLDEST_SCORE_MONTHS:
        return [
            Reason("functional_score_too_old", f"The last {label} is more than a year older than the index visit.")
        ]
    return []


def _too_little(case: Case) -> list[Reason]:
    gaps = case.applicability.unseen_gaps(case.row)
    if sum(case.importance[at] for at in gaps) <= LARGEST_UNSEEN_SHARE:
        return []
    labels = "; ".join(case.matrix.features[at].label for at in gaps)
    words = f"Inputs that every training patient had, and that weigh in this model, are missing: {labels}."
    return [Reason("too_little_to_go_on", words)]


def _no_room(case: Case) -> list[Reason]:
    if case.possible:
        return []
    label = vocabulary().quantities[case.matrix.scale].label
    words = (
        f"The {label} is too near the end of its scale: the estimate would take it beyond within the three months "
        "that an outcome needs at least."
    )
    return [Reason("score_near_its_end", words)]


def _far_outside(case: Case) -> list[Reason]:
    """Many times beyond what training saw: in a wrong unit, or of a patient whom the model does not know."""
    beyond = [
        case.matrix.features[at]
        for at in case.outside
        if is_amount(case.matrix.features[at]) and case.applicability.times_beyond(case.row, at) > MOST_TIMES_BEYOND
    ]
    if not beyond:
        return []
    labels = "; ".join(feature.label for feature in beyond)
    words = f"Many times beyond the range that the training cohort covers; check value and unit: {labels}."
    return [Reason("far_outside_training_range", words)]


def is_amount(feature: Feature) -> bool:
    """Whether it is a measured amount, of which twice as much means something: no score, change or age."""
    quantity = vocabulary().quantities.get(feature.quantity or "")
    return feature.kind == "last" and quantity is not None and not quantity.integer


def _unlike(case: Case) -> list[Reason]:
    if not case.applicability.is_unlike(case.row):
        return []
    words = (
        "The patient is unlike the training cohort: taken together, the measured values are further from it "
        "than those of almost all of its patients."
    )
    return [Reason("unlike_training_cohort", words)]


CAUTIONS: tuple[Callable[[Case], list[Caution]], ...] = (
    _important_missing,
    _unseen_gap,
    _stale,
    _outside_training,
    _at_limit,
    _not_comparable,
    _measured_unknown_way,
    _not_an_input,
)
ABSTENTIONS: tuple[Callable[[Case], list[Reason]], ...] = (
    _no_score,
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
