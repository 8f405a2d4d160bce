"""The codes of cautions and abstentions of many rows: which rules of `model.cautions` speak, in what order.

The rules there look at one record and say it in words; these look at columns and say only which of them speak. The
same constants decide, and sums are added in the same order. Each run compares a sample of its rows with the single
way (`Scorer`), so that the two cannot come apart unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.vocabulary import UNKNOWN, Quantity
from model.cautions import (
    IMPORTANT_SHARE,
    LARGEST_UNSEEN_SHARE,
    MOST_MISSING_SHARE,
    MOST_SURPRISING,
    MOST_TIMES_BEYOND,
    OLDEST_SCORE_MONTHS,
    VENTILATED,
    is_amount,
)
from model.predictor import Predictor
from model.unused import taken
from scoring.rows.design import Reading
from scoring.rows.slopes import Trend
from scoring.rows.unused import (
    change_over_short_span,
    diagnosis_after_visit,
    earlier_not_used,
    limit_not_in_change,
    not_an_input,
)
from scoring.rows.visits import Visits

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Unlike = Callable[[Floats], Mask]
"""Design rows (n, p) -> whether each is unlike the training cohort, (n,)."""


@dataclass(frozen=True, eq=False)
class Cases:
    """n rows before they are answered: all that a rule may look at. See `model.cautions.Case`."""

    visits: Visits
    readings: Mapping[str, Reading]
    trends: Mapping[str, Trend]
    rows: Floats  # (n, p)
    predictor: Predictor
    situation: NDArray[np.int64]  # (n,)
    possible: Mask  # (n,) whether the score leaves room for the estimate
    unlike: Unlike

    @property
    def nobody(self) -> Mask:
        """(n,) no row."""
        return np.zeros(len(self.rows), np.bool_)

    @cached_property
    def gaps(self) -> Mask:
        """(n, p) what is not available."""
        return np.isnan(self.rows)

    @cached_property
    def score_age(self) -> Floats:
        """(n,) months from the last functional score to the visit, NaN without one."""
        last = self.readings.get(self.predictor.matrix.scale)
        return np.full(len(self.rows), np.nan) if last is None else self.visits.month - last.month

    def weight(self, gaps: Mask, order: Sequence[Sequence[int]]) -> Floats:
        """(n,) the importance of the gaps, in the row's situation, added in that situation's order of columns."""
        total = np.zeros(len(gaps))
        for number, importance in enumerate(self.predictor.importance):
            these = self.situation == number
            if these.any():
                own = np.zeros(int(these.sum()))
                for at in order[number]:
                    own += np.where(gaps[these, at], importance[at], 0.0)
                total[these] = own
        return total

    def sent_so_far(self, quantity: str) -> Mask:
        """(n,) whether this or an earlier visit has it as sent."""
        sent = self.visits.sent.get(quantity)
        return self.nobody if sent is None else self.visits.patients.so_far(sent)

    def of_inputs(self, holds: Callable[[Quantity, Reading], Mask]) -> Mask:
        """(n,) whether it holds for the last reading of any input."""
        found = self.nobody
        for name, quantity in self.predictor.matrix.quantities.items():
            if name in self.readings:
                found |= holds(quantity, self.readings[name])
        return found


def _important_missing(cases: Cases) -> Mask:
    importance = np.array(cases.predictor.importance)
    heavy = (cases.gaps & (importance[cases.situation] >= IMPORTANT_SHARE)).any(axis=1)
    order = [np.argsort(-shares, kind="stable").tolist() for shares in importance]
    together = cases.weight(cases.gaps, order)
    return np.asarray(heavy | ((together >= MOST_MISSING_SHARE) & cases.gaps.any(axis=1)))


def _unseen(cases: Cases) -> list[int]:
    """Positions of what next to every training row had."""
    return cases.predictor.applicability.unseen_gaps(np.full(cases.rows.shape[1], np.nan))


def _unseen_gap(cases: Cases) -> Mask:
    return np.asarray(cases.gaps[:, _unseen(cases)].any(axis=1))


def _stale(cases: Cases) -> Mask:
    def stale(quantity: Quantity, last: Reading) -> Mask:
        limit = quantity.stale_after_months
        return np.asarray(cases.visits.month - last.month > (np.inf if limit is None else limit))

    return cases.nobody if cases.visits.patients.alone else cases.of_inputs(stale)


def _approximate_onset(cases: Cases) -> Mask:
    told = {"months_since_onset", "delta_fs"} & set(cases.predictor.matrix.columns)
    return cases.visits.onset_margin > 0.0 if told else cases.nobody


def _approximate_age(cases: Cases) -> Mask:
    return cases.visits.age_margin > 0.0 if "age_years" in cases.predictor.matrix.columns else cases.nobody


def _outside_training(cases: Cases) -> Mask:
    at, lowest, highest = cases.predictor.applicability.limits
    values = cases.rows[:, at]
    return np.asarray(((values < lowest) | (values > highest)).any(axis=1))


def _implausible_change(cases: Cases) -> Mask:
    known = cases.trends.get(cases.predictor.matrix.scale)
    return cases.nobody if known is None else np.asarray(np.abs(known.surprise) > MOST_SURPRISING)


def _at_limit(cases: Cases) -> Mask:
    return cases.of_inputs(lambda _, last: last.beyond)


def _not_comparable(cases: Cases) -> Mask:
    found, known = cases.nobody, taken(cases.predictor.matrix)
    for name, unused in cases.visits.unused.items():
        if name in known:
            found |= cases.visits.patients.so_far(unused)
    return found


def _measured_unknown_way(cases: Cases) -> Mask:
    found, known = cases.nobody, taken(cases.predictor.matrix)
    for name, said in cases.predictor.matrix.qualified:
        if name in known and any(value == UNKNOWN for _, value in said):
            found |= cases.sent_so_far(name)
    return found


def _too_little(cases: Cases) -> Mask:
    unseen = _unseen(cases)
    return cases.weight(cases.gaps, [unseen] * len(cases.predictor.importance)) > LARGEST_UNSEEN_SHARE


def _invasive_ventilation(cases: Cases) -> Mask:
    found = cases.nobody
    for name in VENTILATED:
        if name in cases.readings:
            found |= cases.readings[name].value == 0.0
    return found


def _far_outside(cases: Cases) -> Mask:
    found = cases.nobody
    for at, seen in cases.predictor.applicability.range_of.items():
        if not is_amount(cases.predictor.matrix.features[at]):
            continue
        value = cases.rows[:, at]
        if seen.highest > 0.0:
            found |= value / seen.highest > MOST_TIMES_BEYOND
        below = (value > 0.0) & (value < seen.lowest)
        found |= np.divide(seen.lowest, value, out=np.zeros_like(value), where=below) > MOST_TIMES_BEYOND
    return found


CAUTIONS: tuple[tuple[str, Callable[[Cases], Mask]], ...] = (
    ("missing_input", _important_missing),
    ("never_missing_in_training", _unseen_gap),
    ("stale_input", _stale),
    ("approximate_onset", _approximate_onset),
    ("approximate_age", _approximate_age),
    ("outside_training_range", _outside_training),
    ("implausible_change", _implausible_change),
    ("beyond_limit", _at_limit),
    ("not_comparable", _not_comparable),
    ("measured_unknown_way", _measured_unknown_way),
    ("not_an_input", not_an_input),
    ("diagnosis_after_visit", diagnosis_after_visit),
    ("earlier_not_used", earlier_not_used),
    ("limit_not_in_change", limit_not_in_change),
    ("change_over_short_span", change_over_short_span),
)
ABSTENTIONS: tuple[tuple[str, Callable[[Cases], Mask]], ...] = (
    ("no_functional_score", lambda cases: np.isnan(cases.score_age)),
    ("functional_score_too_old", lambda cases: cases.score_age > OLDEST_SCORE_MONTHS),
    ("invasive_ventilation", _invasive_ventilation),
    ("too_little_to_go_on", _too_little),
    ("score_near_its_end", lambda cases: ~cases.possible),
    ("far_outside_training_range", _far_outside),
    ("unlike_training_cohort", lambda cases: cases.unlike(cases.rows)),
)


def said_of(cases: Cases) -> tuple[NDArray[np.object_], Mask]:
    """The codes of each row, separated by spaces, (n,), and whether it is abstained, (n,).

    An abstained row has the codes of its reasons, any other those of its cautions.
    """
    reasons, cautions = _bits(cases, ABSTENTIONS), _bits(cases, CAUTIONS)
    abstained = reasons > 0
    return np.where(abstained, _texts(reasons, ABSTENTIONS), _texts(cautions, CAUTIONS)), abstained


def _bits(cases: Cases, rules: Sequence[tuple[str, Callable[[Cases], Mask]]]) -> NDArray[np.int64]:
    found = np.zeros(len(cases.rows), np.int64)
    with np.errstate(invalid="ignore"):
        for place, (_, speaks) in enumerate(rules):
            found |= speaks(cases).astype(np.int64) << place
    return found


def _texts(bits: NDArray[np.int64], rules: Sequence[tuple[str, object]]) -> NDArray[np.object_]:
    texts = np.full(1 << len(rules), "", np.object_)
    for number in np.flatnonzero(np.bincount(bits)).tolist():
        texts[number] = " ".join(code for at, (code, _) in enumerate(rules) if number >> at & 1)
    return np.asarray(texts[bits])
