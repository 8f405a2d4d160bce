"""An independent re-computation: from the files of a pack and raw JSON records to what must be answered.

It shares no code with the product (a test holds its imports) and takes nothing from the contribution tables that
the product answers from: trees come from XGBoost's own JSON. Two things are read from ``tables.npz``, because they
stand nowhere else: the arrays of the copula, and the grids (exponents of two) that leaves and means are rounded to.
Numbers are rounded where docs/decisions/0002 and 0006 say so, and nowhere else; so an estimate is the very same
double, while a contribution differs by what the product's tables were rounded by.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.proof.joint_normal import JointNormal
from tests.proof.patient_facts import QUANTITIES, Facts, facts_of
from tests.proof.tree_walk import Trees
from tests.proof.unused_facts import parts_of, unused

Floats = NDArray[np.float64]
LEVELS = (
    "0.05",
    "0.25",
    "0.5",
    "0.75",
    "0.95",
)  # docs/api.md: quantiles; the interval is from the first to the last
SLOW_BELOW, FAST_ABOVE = 0.5, 1.0
NAMES = (
    ("location", "scale"),
    ("first_visit_location", "first_visit_scale", "follow_up_location", "follow_up_scale"),
)
# The rules of model/cautions.py, in numbers:
TIMES_BEYOND = 3.0  # docs/decisions/0011-far-outside.md
OLDEST_SCORE_MONTHS = 12.0
UNSEEN_SHARE, HEAVY_SHARE, MISSING_SHARE, NAMED = 0.1, 0.05, 0.5, 5
ALWAYS_THERE = 0.995
VENTILATED = ("alsfrs_ventilation", "alsfrs_breathing")  # 0: by a tube or a tracheostomy


@dataclass(frozen=True)
class Around:
    """Where a patient's rate lies: all that the numbers of an answer are read from."""

    which: int
    location: float
    scale: float
    lowest: float
    highest: float


class Evaluator:
    """Of one pack folder."""

    def __init__(self, folder: Path) -> None:
        self.model = json.loads((folder / "model.json").read_bytes())
        self.columns: list[str] = self.model["columns"]
        self.residuals = [np.array(r) for r in json.loads((folder / "calibration.json").read_bytes())["residuals"]]
        self.cohort = json.loads((folder / "applicability.json").read_bytes())
        with np.load(io.BytesIO((folder / "tables.npz").read_bytes()), allow_pickle=False) as archive:
            self.arrays = {key: archive[key] for key in archive.files if not key.endswith(".table")}
        two = len(self.model["situations"]) > 1
        self.situations = [self._situation(folder, at, two) for at in range(len(self.model["situations"]))]
        self.quantity_of = {_column: name for name, q in QUANTITIES.items() for _column in _columns(q)}
        self.inputs = [name for name in QUANTITIES if name in {self.quantity_of.get(c) for c in self.columns}]
        self.covariance = np.array(self.cohort["covariance"])

    def answers(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What must be answered to each record: the rendered answer without its words, pack and statement."""
        facts = [facts_of(record, self.model["scale"], self.model["measured_as"]) for record in records]
        rows = np.array([[each.columns.get(column, math.nan) for column in self.columns] for each in facts])
        which = np.zeros(len(rows), np.int64)
        if len(self.situations) > 1:
            which = (~np.isnan(rows[:, self.model["history"]])).any(axis=1).astype(np.int64)
        location, scale, base = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
        shares = np.zeros(rows.shape)
        for at, situation in enumerate(self.situations):
            these = np.flatnonzero(which == at)
            if len(these):
                location[these], shares[these], base[these], scale[these] = situation.read(rows[these])
        found = []
        for at, each in enumerate(facts):
            low, high = self._limits(rows[at])
            around = Around(int(which[at]), float(location[at]), float(scale[at]), low, high)
            found.append(self._answer(each, rows[at], around, shares[at], float(base[at])))
        return found

    def _situation(self, folder: Path, at: int, two: bool) -> _Situation:
        def trees(part: str, name: str) -> Trees:
            prefix = ("first_visit_", "follow_up_")[at] if two else ""
            return Trees((folder / f"{prefix}{part}.json").read_bytes(), int(self.arrays[f"{name}.grid"]))

        said = self.model["situations"][at]
        parts: list[tuple[float, Trees | JointNormal]] = []
        for i, part in enumerate(said["location"]):
            name = f"location{at}_{i}"
            own = {key.partition(".")[2]: a for key, a in self.arrays.items() if key.startswith(f"{name}.")}
            source = trees("location", name) if part["kind"] == "trees" else JointNormal(own)
            parts.append((part["weight"], source))
        return _Situation(parts, said["error"], trees("scale", f"scale{at}") if said["error"]["trees"] else None)

    def _limits(self, row: Floats) -> tuple[float, float]:
        """Within these months the score can neither pass its maximum nor 0."""
        bounds = self.model["score"]
        if bounds is None or math.isnan(score := float(row[bounds["position"]])):
            return -math.inf, math.inf
        return (score - bounds["maximum"]) / bounds["months"], score / bounds["months"]

    def _answer(self, facts: Facts, row: Floats, around: Around, shares: Floats, base: float) -> dict[str, Any]:
        importance = self.model["importance"][around.which]
        reasons = self._reasons(facts, row, around, importance)
        if reasons:
            return {"outcome": "abstained", "reference": facts.reference, "reasons": reasons}
        cautions = self._cautions(facts, row, importance)
        quantiles = [self._quantile(around, level) for level in LEVELS]
        low, high = (self._below(around, cut) for cut in (SLOW_BELOW, FAST_ABOVE))
        return {
            "outcome": "prediction_with_cautions" if cautions else "prediction",
            "reference": facts.reference,
            "progression_rate": around.location,
            "interval": [quantiles[0], quantiles[-1]],
            "quantiles": quantiles,
            "bands": [low, high - low, 1.0 - high],
            "base_value": base,
            "contributions": {
                column: (None if math.isnan(value) else value, share)
                for column, value, share in zip(self.columns, row.tolist(), shares.tolist(), strict=True)
            },
            "cautions": cautions,
        }

    def _quantile(self, around: Around, level: str) -> float:
        """Conformal: of m residuals the floor((m + 1) q)-th below the median, the ceil((m + 1) q)-th above it."""
        residuals, q = self.residuals[around.which], Fraction(level)
        rank = (len(residuals) + 1) * q
        if q == Fraction(1, 2):
            middle = len(residuals) // 2
            at = residuals[middle] if len(residuals) % 2 else (residuals[middle - 1] + residuals[middle]) / 2.0
        else:
            at = residuals[(math.floor(rank) if q < Fraction(1, 2) else math.ceil(rank)) - 1]
        return float(min(max(around.location + around.scale * at, around.lowest), around.highest))

    def _below(self, around: Around, rate: float) -> float:
        """P(rate <= this): residuals below, half of those equal, and half of the new patient's own."""
        if rate >= around.highest:
            return 1.0
        if rate < around.lowest:
            return 0.0
        residuals, z = self.residuals[around.which], (rate - around.location) / around.scale
        below, equal = int((residuals < z).sum()), int((residuals == z).sum())
        return (below + 0.5 * equal + 0.5) / (len(residuals) + 1)

    # ---------------------------------------------------------------------------------------- what is not answered

    def _reasons(self, facts: Facts, row: Floats, around: Around, importance: list[float]) -> list[str]:
        found = []
        age = facts.age_of.get(self.model["scale"])
        if age is None:
            found.append("no_functional_score")
        elif age > OLDEST_SCORE_MONTHS:
            found.append("functional_score_too_old")
        if any(facts.last[item].value == 0.0 for item in VENTILATED if item in facts.last):
            found.append("invasive_ventilation")
        if math.fsum(importance[at] for at in self._unseen(row)) > UNSEEN_SHARE:
            found.append("too_little_to_go_on")
        if not around.lowest <= around.location <= around.highest:
            found.append("score_near_its_end")
        if self._far(row):
            found.append("far_outside_training_range")
        if self._unlike(row):
            found.append("unlike_training_cohort")
        return found

    def _unseen(self, row: Floats) -> list[int]:
        """What is missing, though next to every training patient had it."""
        return [
            at for at, share in enumerate(self.cohort["measured"]) if share > ALWAYS_THERE and math.isnan(row[at])
        ]

    def _far(self, row: Floats) -> bool:
        """Whether the last value of a quantity, no score, is over three times beyond what the cohort had."""
        amounts = {quantity["column"] for quantity in QUANTITIES.values() if not quantity.get("integer")}
        for position, lowest, highest in self.cohort["ranges"]:
            value = float(row[position])
            if self.columns[position] not in amounts or not value > 0.0:
                continue
            if lowest > value and lowest / value > TIMES_BEYOND:
                return True
            if value > highest > 0.0 and value / highest > TIMES_BEYOND:
                return True
        return False

    def _unlike(self, row: Floats) -> bool:
        """Whether Wilson and Hilferty's score of the Mahalanobis distance is above the cohort's limit."""
        there, scores = [], []
        for at, (position, knots) in enumerate(zip(self.cohort["positions"], self.cohort["knots"], strict=True)):
            if not math.isnan(row[position]):
                there.append(at)
                scores.append(_score(float(row[position]), knots["values"], knots["scores"]))
        if not there:
            return False
        s, count = np.array(scores), len(there)
        distance = float(s @ np.linalg.solve(self.covariance[np.ix_(there, there)], s))
        spread = 2.0 / (9.0 * count)
        return ((distance / count) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread) > float(
            self.cohort["limit"]
        )

    # --------------------------------------------------------------------------------------- what is cautioned of

    def _cautions(self, facts: Facts, row: Floats, importance: list[float]) -> list[tuple[str, tuple[str, ...]]]:
        found: list[tuple[str, tuple[str, ...]]] = []
        gaps = [at for at in sorted(range(len(row)), key=lambda at: -importance[at]) if math.isnan(row[at])]
        named = sum(importance[at] >= HEAVY_SHARE for at in gaps)
        if math.fsum(importance[at] for at in gaps) >= MISSING_SHARE:
            named = max(named, NAMED)
        if gaps[:named]:
            found.append(("missing_input", tuple(self.columns[at] for at in gaps[:named])))
        if unseen := self._unseen(row):
            found.append(("never_missing_in_training", tuple(self.columns[at] for at in unseen)))
        sent = [name for name in self.inputs if name in facts.last]
        for name in sent:
            limit = QUANTITIES[name].get("stale_after_months")
            if limit is not None and facts.age_of[name] > limit:
                found.append(("stale_input", (QUANTITIES[name]["column"],)))
        found += self._approximate(facts)
        for position, lowest, highest in self.cohort["ranges"]:
            if row[position] < lowest or row[position] > highest:
                found.append(("outside_training_range", (self.columns[position],)))
        run_away = f"{self.model['scale']}_change_per_month"
        if abs(facts.surprise.get(self.model["scale"], 0.0)) > 5.0 and run_away in self.columns:
            found.append(("implausible_change", (run_away,)))
        for name in sent:
            if facts.last[name].comparator is not None:
                found.append(("beyond_limit", (QUANTITIES[name]["column"],)))
        found += self._other_ways(facts, {*self.inputs, *parts_of(self.inputs)})
        return found + unused(facts, self.inputs, self.columns)

    def _approximate(self, facts: Facts) -> list[tuple[str, tuple[str, ...]]]:
        """Dates that are known to the month or the year."""
        found: list[tuple[str, tuple[str, ...]]] = []
        onset = tuple(column for column in ("months_since_onset", "delta_fs") if column in self.columns)
        if facts.onset_margin > 0.0 and onset:
            found.append(("approximate_onset", onset))
        if facts.age_margin > 0.0 and "age_years" in self.columns:
            found.append(("approximate_age", ("age_years",)))
        return found

    def _other_ways(self, facts: Facts, taken: set[str]) -> list[tuple[str, tuple[str, ...]]]:
        known = self.model["measured_as"]
        unknown = {name for name, said in known.items() if "unknown" in said.values()}
        codes = {"not_comparable": facts.other_footing, "measured_unknown_way": facts.usable & unknown}
        return [
            (code, (QUANTITIES[name]["column"],))
            for code, names in codes.items()
            for name in QUANTITIES
            if name in names & taken
        ]


class _Situation:
    def __init__(
        self, parts: list[tuple[float, Trees | JointNormal]], error: Mapping[str, Any], scale: Trees | None
    ) -> None:
        self.parts, self.error, self.scale = parts, error, scale

    def read(self, rows: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Location (n,), shares (n, p), base (n,), scale (n,)."""
        location, base, shares = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(rows.shape)
        for weight, source in self.parts:
            if isinstance(source, Trees):
                estimate, part = source.contributions(rows)
                start = np.full(len(rows), source.base)
            else:
                estimate, part, start = source.contributions(rows)
            location, shares, base = location + weight * estimate, shares + weight * part, base + weight * start
        if self.scale is None:
            scale = self.error["constant"] + self.error["slope"] * (location - self.error["centre"])
        else:
            scale = self.scale.estimate(np.column_stack([rows, location]))
        return location, shares, base, np.maximum(scale, self.error["floor"])


def _columns(quantity: Mapping[str, Any]) -> list[str]:
    column = str(quantity["column"])
    more = [] if quantity.get("level") == "patient" else ["_change_per_month", "_months_since_drawn"]
    return [column, *(column + end for end in more)]


def _score(x: float, values: list[float], scores: list[float]) -> float:
    """A normal score: straight between knots, and beyond them at the overall slope."""
    overall = (scores[-1] - scores[0]) / (values[-1] - values[0])
    if x < values[0]:
        return scores[0] + overall * (x - values[0])
    if x > values[-1]:
        return scores[-1] + overall * (x - values[-1])
    return float(np.interp(x, values, scores))
