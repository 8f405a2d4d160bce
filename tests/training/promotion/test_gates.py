"""Each gate fails on its own, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.training.rivals import Rivals
from training.paired import Difference
from training.promotion.allowed_changes import identity, refused_changes
from training.promotion.card_gaps import REQUIRED, card_gaps
from training.promotion.comparison import Comparison, Group, compare
from training.promotion.contender import contender, verified
from training.promotion.gates import GATES, Evidence, Refit, read_bounds, verdicts
from training.registry import CHALLENGER, version_of
from training.tracking import open_store

Spoil = Callable[[Evidence], Evidence]


@pytest.fixture(scope="session")
def good(rivals: Rivals) -> Evidence:
    """What the gates find of the better version: all hold."""
    open_store(rivals.uri)
    before, after = (contender(version_of(rivals.reference(each)), rivals.uri) for each in ("without", "better"))
    found = compare(rivals.runs["better"].cohort, before, after, resamples=200)
    return Evidence(
        before.pack, after.pack, "", before.identity, after.identity, found, "", Refit(True, "the same")
    )


def failed(evidence: Evidence) -> list[str]:
    return [verdict.gate for verdict in verdicts(evidence, read_bounds()) if not verdict.passed]


def test_the_better_version_passes_all(good: Evidence) -> None:
    assert failed(good) == []
    assert len({verdict.gate for verdict in verdicts(good, read_bounds())}) == len(GATES)


def figures(group: Group, **changed: float) -> Group:
    assert group.figures is not None
    return replace(group, figures={**group.figures, CHALLENGER: {**group.figures[CHALLENGER], **changed}})


def overall(**changed: float) -> Spoil:
    def spoil(evidence: Evidence) -> Evidence:
        assert evidence.comparison is not None
        found = replace(evidence.comparison, overall=figures(evidence.comparison.overall, **changed))
        return replace(evidence, comparison=found)

    return spoil


def subgroup(change: Callable[[Group], Group], at_least: int = 50) -> Spoil:
    """Spoil the first subgroup that is, or is not, large enough to be judged."""

    def spoil(evidence: Evidence) -> Evidence:
        assert evidence.comparison is not None
        groups = list(evidence.comparison.subgroups)
        position = next(
            at for at, g in enumerate(groups) if g.figures is not None and (g.patients >= 50) == (at_least == 50)
        )
        groups[position] = change(groups[position])
        return replace(evidence, comparison=replace(evidence.comparison, subgroups=tuple(groups)))

    return spoil


def ratio(upper: float) -> Spoil:
    def spoil(evidence: Evidence) -> Evidence:
        assert isinstance(evidence.comparison, Comparison)
        group = replace(evidence.comparison.overall, relative_rmse=Difference(-0.1, -0.2, upper))
        return replace(evidence, comparison=replace(evidence.comparison, overall=group))

    return spoil


def golden(evidence: Evidence) -> Evidence:
    assert evidence.pack is not None
    first, *rest = evidence.pack.golden
    wrong = replace(first, answer={**first.answer, "progression_rate": 9.9})
    return replace(evidence, pack=replace(evidence.pack, golden=(wrong, *rest)))


def card(evidence: Evidence) -> Evidence:
    assert evidence.pack is not None
    return replace(evidence, pack=replace(evidence.pack, card={**evidence.pack.card, "limits": []}))


def units(evidence: Evidence) -> Evidence:
    """The champion learnt from patients whose months were days."""
    predictor = evidence.champion.predictor
    at = predictor.matrix.columns.index("months_since_onset")
    knots = tuple(
        replace(each, values=30.4 * each.values) if position == at else each
        for position, each in zip(predictor.applicability.positions, predictor.applicability.knots, strict=True)
    )
    other = replace(predictor, applicability=replace(predictor.applicability, knots=knots))
    return replace(evidence, champion=replace(evidence.champion, predictor=other))


SPOILT: Mapping[str, Spoil] = {
    "golden answers": golden,
    "allowed changes": lambda e: replace(e, after={**e.after, "card.outcome.unit": "points/year"}),
    "same units": units,
    "card complete": card,
    "determinism": lambda e: replace(e, refit=Refit(False, "another pack")),
    "no leak": lambda e: replace(e, comparison=replace(e.comparison, foretelling={"nfl_pg_ml": 0.97})),
    "non-inferior": ratio(0.0201),
    "calibration slope": overall(calibration_slope=1.11),
    "coverage": overall(coverage=0.86),
    "coverage in subgroups": subgroup(lambda group: figures(group, coverage=0.8)),
    "no subgroup worse": subgroup(lambda group: replace(group, relative_rmse=Difference(0.26, 0.1, 0.5))),
}


@pytest.mark.parametrize("gate", SPOILT)
def test_a_gate_fails_alone(good: Evidence, gate: str) -> None:
    assert failed(SPOILT[gate](good)) == [gate]


def test_a_pack_that_does_not_verify_fails_all_that_need_it(good: Evidence) -> None:
    nothing = Refit(False, "not checked")
    gone = Evidence(good.champion, None, "card.json: its sha256 differs", good.before, {}, None, "no pack", nothing)
    assert failed(gone) == [verdict.gate for verdict in verdicts(good, read_bounds())]
    assert verdicts(gone, read_bounds())[0].figure == "card.json: its sha256 differs"


def test_what_no_reason_lifts(good: Evidence) -> None:
    fixed = {verdict.gate for verdict in verdicts(good, read_bounds()) if not verdict.liftable}
    assert fixed == {"pack verifies", "golden answers", "allowed changes"}


def test_a_small_subgroup_is_not_judged(good: Evidence) -> None:
    small = subgroup(
        lambda g: replace(figures(g, coverage=0.1), relative_rmse=Difference(9.0, 8.0, 10.0)), at_least=0
    )
    assert failed(small(good)) == []


def test_bounds_are_met_at_their_very_value(good: Evidence) -> None:
    assert failed(ratio(0.02)(good)) == []
    assert failed(overall(calibration_slope=0.9)(good)) == []
    assert failed(overall(calibration_slope=float("nan"))(good)) == ["calibration slope"]
    assert [v.gate for v in verdicts(ratio(0.02)(good), read_bounds(0.01)) if not v.passed] == ["non-inferior"]


# ------------------------------------------------------------------------------------------------------------- card


@pytest.mark.parametrize("path", REQUIRED)
def test_each_key_of_the_card_is_needed(good: Evidence, path: str) -> None:
    assert good.pack is not None

    def without(table: Mapping[str, object], parts: list[str]) -> dict[str, object]:
        inner = table[parts[0]]
        rest = {key: value for key, value in table.items() if key != parts[0]}
        if len(parts) > 1:
            assert isinstance(inner, Mapping)
            rest[parts[0]] = without(inner, parts[1:])
        return rest

    assert card_gaps(good.pack.card) == ()
    assert f"{path} is missing" in card_gaps(without(good.pack.card, path.split(".")))


# -------------------------------------------------------------------------------------------------- allowed changes


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("card.outcome.scale", "ALSFRS (0-40)"),
        ("card.outcome.definition", "another"),
        ("card.intended_use", "Decide on treatment."),
        ("card.evaluation.interval_coverage_aimed_at", 0.8),
        ("card.features.alsfrs_r_total.unit", "1"),
        ("card.features.alsfrs_r_total.label", "Something else"),
        ("card.features.alsfrs_r_total.direction", 1),
        ("card.something_new", "x"),
        ("manifest.format", 4),
        ("manifest.name", "other"),
    ],
)
def test_what_a_retraining_may_not_change(good: Evidence, path: str, value: object) -> None:
    found = refused_changes(good.before, {**good.before, path: value})
    assert [change.path for change in found] == [path]


def test_a_gate_may_come_with_its_column_and_not_change() -> None:
    def of(*features: dict[str, str]) -> Mapping[str, object]:
        return identity({}, {"features": list(features)})

    column, low = "treg_count_per_ul", {"measured_as": "treg_gate cd25_cd127low"}
    tregs = {"column": column, "unit": "/uL", **low}
    assert refused_changes(of({"column": "nlr"}), of({"column": "nlr"}, tregs)) == ()
    [change] = refused_changes(of(tregs), of({**tregs, "measured_as": "treg_gate foxp3"}))
    assert change.path == f"card.features.{column}.measured_as"


def test_what_it_may(good: Evidence) -> None:
    assert refused_changes(good.before, good.after) == ()  # another cohort, one column more, other figures
    assert any(path.startswith("card.features.nfl_pg_ml.") for path in good.after)
    assert not any(path.startswith("card.features.nfl_pg_ml.") for path in good.before)
    assert refused_changes(good.after, good.before) == ()  # one column less


def test_patients_may_follow_a_simulation_and_not_the_other_way(good: Evidence) -> None:
    real = {**good.before, "card.simulated": False}
    assert refused_changes(good.before, real) == ()
    assert [str(change) for change in refused_changes(real, good.before)] == ["card.simulated: False -> True"]


def test_the_order_of_features_says_nothing(rivals: Rivals) -> None:
    open_store(rivals.uri)
    pack = verified(version_of(rivals.reference("better")), rivals.uri).pack
    features = pack.card["features"]
    assert isinstance(features, list)
    turned = {**pack.card, "features": features[::-1]}
    assert identity({}, pack.card) == identity({}, turned)
