"""The gates before a promotion: a list, each of which gives a verdict with its figure and its bound."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.golden import replay
from model.pack import Pack
from model.predictor import COVERAGE
from training.foretelling import STRONGEST
from training.promotion.allowed_changes import Flat, refused_changes
from training.promotion.card_gaps import card_gaps
from training.promotion.changed_units import MIDDLE, changed_units
from training.promotion.comparison import Comparison, Group
from training.promotion.decisions import Verdict
from training.registry import CHALLENGER

FILE = Path(__file__).with_name("gates.toml")
NONE_JUDGED = "no subgroup is large enough to be judged"
ALL = 3  # how many findings a verdict tells of one kind


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the gates ask; see gates.toml for the reasons."""

    margin: float  # share of the champion's RMSE
    slope_lowest: float
    slope_highest: float
    coverage_overall: float  # distance from 0.9
    coverage_subgroup: float
    fewest_patients: int  # in a subgroup that is judged
    subgroup_worse: float  # share of the champion's RMSE in the subgroup


@dataclass(frozen=True, slots=True)
class Refit:
    """Whether a refit of the run's recipe gave the same pack, what was done to tell, and if it was done at all."""

    same: bool
    told: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gates look at. Where there is no pack or no comparison, the text says why."""

    champion: Pack
    pack: Pack | None  # the challenger's
    pack_problem: str
    before: Flat  # manifest and card of the champion
    after: Flat  # and of the challenger
    comparison: Comparison | None
    comparison_problem: str
    refit: Refit


Gate = Callable[[Evidence, Bounds], Verdict]


def read_bounds(margin: float | None = None) -> Bounds:
    """The bounds of gates.toml, with another margin if one is given.

    >>> read_bounds().margin, read_bounds(0.05).margin
    (0.02, 0.05)
    """
    table = tomllib.loads(FILE.read_text("utf-8"))
    return Bounds(
        margin=table["non_inferiority"]["margin"] if margin is None else margin,
        slope_lowest=table["calibration_slope"]["lowest"],
        slope_highest=table["calibration_slope"]["highest"],
        coverage_overall=table["coverage"]["overall"],
        coverage_subgroup=table["coverage"]["subgroup"],
        fewest_patients=table["coverage"]["fewest_patients"],
        subgroup_worse=table["subgroup_rmse"]["worse"],
    )


def verdicts(evidence: Evidence, bounds: Bounds) -> tuple[Verdict, ...]:
    """The verdict of every gate, in the order of `GATES`."""
    return tuple(gate(evidence, bounds) for gate in GATES)


def _pack_verifies(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    found = f"pack {evidence.pack.id[:12]}" if evidence.pack is not None else evidence.pack_problem
    return Verdict("pack verifies", found, "fetched anew, the registered id", evidence.pack is not None, False)


def _golden_answers(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    name, bound = "golden answers", "all as when it was made"
    if evidence.pack is None:
        differs = evidence.pack_problem.startswith("golden.json")
        told = evidence.pack_problem if differs else "not replayed: the pack does not verify"
        return Verdict(name, told, bound, False, False)
    wrong = replay(evidence.pack.predictor, evidence.pack.golden)
    figure = f"{len(evidence.pack.golden)} replayed" if not wrong else _few(wrong)
    return Verdict(name, figure, bound, not wrong, False)


def _allowed_changes(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    name, bound = "allowed changes", "none but those of allowed_changes.toml"
    if evidence.pack is None:
        return Verdict(name, "not compared: the pack does not verify", bound, False, False)
    found = [str(change) for change in refused_changes(evidence.before, evidence.after)]
    return Verdict(name, _few(found) if found else "no other", bound, not found, False)


def _same_units(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    name, bound = "same units", f"each median within the champion's middle {MIDDLE[1] - MIDDLE[0]:.0%}"
    if evidence.pack is None:
        return Verdict(name, "not compared: the pack does not verify", bound, False, True)
    found = changed_units(evidence.champion.predictor, evidence.pack.predictor)
    return Verdict(name, _few(found) if found else "all", bound, not found, True)


def _card_complete(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    name, bound = "card complete", "every key there and none empty"
    if evidence.pack is None:
        return Verdict(name, "not read: the pack does not verify", bound, False, True)
    gaps = card_gaps(evidence.pack.card)
    return Verdict(name, _few(gaps) if gaps else "complete", bound, not gaps, True)


def _determinism(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    return Verdict("determinism", evidence.refit.told, "a refit gives the same pack", evidence.refit.same, True)


def _non_inferior(evidence: Evidence, bounds: Bounds) -> Verdict:
    bound = f"upper end of the 95 % interval at most {bounds.margin:+.1%}"
    if evidence.comparison is None or evidence.comparison.overall.relative_rmse is None:
        return _not_compared("non-inferior", evidence, bound)
    ratio = evidence.comparison.overall.relative_rmse
    figure = f"RMSE {ratio.estimate:+.2%} ({ratio.lower:+.2%} to {ratio.upper:+.2%})"
    return Verdict("non-inferior", figure, bound, ratio.upper <= bounds.margin, True)


def _no_leak(evidence: Evidence, bounds: Bounds) -> Verdict:  # noqa: ARG001
    name, bound = "no leak", f"no feature's rank correlation with the rate at {STRONGEST:g} or above"
    if evidence.comparison is None:
        return _not_compared(name, evidence, bound)
    found = [f"{column} {share:.2f}" for column, share in evidence.comparison.foretelling.items()]
    return Verdict(name, _few(found) if found else "none", bound, not found, True)


def _calibration_slope(evidence: Evidence, bounds: Bounds) -> Verdict:
    bound = f"{bounds.slope_lowest:g} to {bounds.slope_highest:g}"
    if evidence.comparison is None or evidence.comparison.overall.figures is None:
        return _not_compared("calibration slope", evidence, bound)
    row = evidence.comparison.overall.figures[CHALLENGER]
    slope = row["calibration_slope"]
    figure = f"{slope:.3f} (standard error {row['calibration_slope_error']:.3f})"
    return Verdict("calibration slope", figure, bound, bounds.slope_lowest <= slope <= bounds.slope_highest, True)


def _coverage(evidence: Evidence, bounds: Bounds) -> Verdict:
    bound = f"{COVERAGE:g} within {bounds.coverage_overall:g}"
    if evidence.comparison is None or evidence.comparison.overall.figures is None:
        return _not_compared("coverage", evidence, bound)
    found = evidence.comparison.overall.figures[CHALLENGER]["coverage"]
    return Verdict("coverage", f"{found:.3f}", bound, _within(found, bounds.coverage_overall), True)


def _coverage_in_subgroups(evidence: Evidence, bounds: Bounds) -> Verdict:
    name = "coverage in subgroups"
    bound = f"{COVERAGE:g} within {bounds.coverage_subgroup:g}, {bounds.fewest_patients} patients or more"
    if evidence.comparison is None:
        return _not_compared(name, evidence, bound)
    found = [(group, _figure(group, "coverage")) for group in _judged(evidence.comparison, bounds)]
    if not found:
        return Verdict(name, NONE_JUDGED, bound, False, True)
    wrong = [f"{group.name} {each:.3f}" for group, each in found if not _within(each, bounds.coverage_subgroup)]
    return Verdict(name, _few(wrong) if wrong else f"{len(found)} judged, all within", bound, not wrong, True)


def _no_subgroup_worse(evidence: Evidence, bounds: Bounds) -> Verdict:
    name = "no subgroup worse"
    bound = f"RMSE at most {bounds.subgroup_worse:+.0%}, {bounds.fewest_patients} patients or more"
    if evidence.comparison is None:
        return _not_compared(name, evidence, bound)
    found = [
        (group, group.relative_rmse.estimate)
        for group in _judged(evidence.comparison, bounds)
        if group.relative_rmse is not None
    ]
    if not found:
        return Verdict(name, NONE_JUDGED, bound, False, True)
    wrong = [f"{group.name} {share:+.0%}" for group, share in found if share > bounds.subgroup_worse]
    return Verdict(name, _few(wrong) if wrong else f"{len(found)} judged, none worse", bound, not wrong, True)


GATES: tuple[Gate, ...] = (
    _pack_verifies,
    _golden_answers,
    _allowed_changes,
    _same_units,
    _card_complete,
    _determinism,
    _no_leak,
    _non_inferior,
    _calibration_slope,
    _coverage,
    _coverage_in_subgroups,
    _no_subgroup_worse,
)


def _not_compared(gate: str, evidence: Evidence, bound: str) -> Verdict:
    return Verdict(gate, f"not compared: {evidence.comparison_problem}", bound, False, True)


def _judged(comparison: Comparison, bounds: Bounds) -> Iterator[Group]:
    for group in comparison.subgroups:
        if group.patients >= bounds.fewest_patients and group.figures is not None:
            yield group


def _figure(group: Group, key: str) -> float:
    assert group.figures is not None
    return group.figures[CHALLENGER][key]


def _within(coverage: float, distance: float) -> bool:
    return abs(coverage - COVERAGE) <= distance


def _few(found: list[str] | tuple[str, ...]) -> str:
    more = f"; and {len(found) - ALL} more" if len(found) > ALL else ""
    return "; ".join(found[:ALL]) + more
