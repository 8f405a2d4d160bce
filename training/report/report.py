"""The report of a model version: everything that is told of it, gathered from its run, its pack and its cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from model.distribution import band_of
from model.predictor import BANDS
from training.evaluation import MODEL, Evaluation
from training.examples import Examples
from training.paired import RESAMPLES, Difference, difference, figures, patient_draws
from training.report.accuracy import Calibration, Estimate, accuracy, calibration
from training.report.card_facts import CardFacts
from training.report.changes import Changes
from training.report.feature_effects import SHOWN, Effect, Importance, effects, importance
from training.report.markers import Marker, markers
from training.report.repeated import Repeated
from training.report.subgroup_figures import Group, group_figures, measured_or_not
from training.report.trained_version import TrainedVersion
from training.report.worked_examples import Worked, worked_examples
from training.run_record import COMMIT_TAG
from training.subgroups import predicted_bands, subgroups
from training.worth import Worth


@dataclass(frozen=True, slots=True)
class Origin:
    """Which version this is, and what it was made with."""

    name: str
    version: str
    run_id: str
    pack_id: str
    made_by: str
    commit: str | None
    trained_on: str  # date, UTC
    seed: int
    index_visits: str
    grouped_by: str
    settings: tuple[tuple[str, float], ...]
    libraries: tuple[tuple[str, str], ...]
    resamples: int  # of patients, behind every interval here


@dataclass(frozen=True, slots=True)
class Flow:
    """From the rows of the file to the examples: counts, with the reasons of what was left out."""

    file: str
    rows: int
    patients: int
    patients_excluded: int
    why_patients: tuple[tuple[str, int], ...]  # a patient may have several reasons
    patients_with_outcome: int
    patients_without_outcome: int
    why_visits: tuple[tuple[str, int], ...]  # visits without an outcome
    examples: int
    deaths: int
    sites: int  # named


@dataclass(frozen=True, slots=True)
class Gain:
    """Tregcast minus the better baseline, paired by patient; below 0 is better."""

    baseline: str
    rmse: Difference  # points/month
    interval_score: Difference  # points/month


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report; rates and their errors in points/month."""

    origin: Origin
    card: CardFacts
    flow: Flow
    observed_bands: tuple[tuple[str, float], ...]  # share of examples whose observed rate is in each band
    markers: tuple[Marker, ...]
    accuracy: Mapping[str, Mapping[str, Estimate]]  # by model, then by figure
    gain: Gain
    calibration: Calibration
    by_band: tuple[Group, ...]
    by_group: tuple[Group, ...]
    by_marker: tuple[Group, ...]
    worth: Worth | None  # None: it was not asked for
    importance: tuple[Importance, ...]
    effects: tuple[Effect, ...]
    examples: tuple[Worked, ...]
    changes: Changes | None


def report_of(
    made: TrainedVersion,
    card: CardFacts,
    again: Repeated,
    *,
    worth: Worth | None,
    changes: Changes | None,
    resamples: int = RESAMPLES,
) -> Report:
    """Gather a report.

    Args:
        made: the version. card: the card of its pack. again: its cohort and its forecasts.
        worth: what each marker is worth in the cohort, where that was asked for.
        changes: from the champion, where there is another.
        resamples: of patients, for each interval.
    """
    examples, evaluation, predictor = again.examples, again.evaluation, made.pack.predictor
    chance = {"resamples": resamples, "seed": made.recipe.seed}
    observed, patient = evaluation.observed, examples.patient
    ranked = importance(predictor)
    return Report(
        origin=_origin(made, examples, resamples),
        card=card,
        flow=_flow(again),
        observed_bands=tuple(
            (band, float(np.mean(band_of(observed) == position))) for position, band in enumerate(BANDS)
        ),
        markers=markers(again.cohort, examples),
        accuracy={
            name: accuracy(observed, forecasts, patient, **chance)
            for name, forecasts in evaluation.forecasts.items()
        },
        gain=_gain(examples, evaluation, **chance),
        calibration=calibration(observed, evaluation.forecasts[MODEL], patient, **chance),
        by_band=group_figures(predicted_bands(evaluation.forecasts[MODEL].rate), examples, evaluation, **chance),
        by_group=group_figures(subgroups(examples, again.cohort), examples, evaluation, **chance),
        by_marker=group_figures(measured_or_not(examples), examples, evaluation, **chance),
        worth=worth,
        importance=ranked,
        effects=effects(predictor, examples, [each.column for each in ranked[:SHOWN]]),
        examples=worked_examples(predictor, examples),
        changes=changes,
    )


def _origin(made: TrainedVersion, examples: Examples, resamples: int) -> Origin:
    registered = made.registered
    return Origin(
        name=registered.name,
        version=registered.version,
        run_id=made.run.run_id,
        pack_id=made.pack.id,
        made_by=made.pack.predictor.pack.made_by,
        commit=made.run.tags.get(COMMIT_TAG),
        trained_on=made.run.started[:10],
        seed=made.recipe.seed,
        index_visits=made.recipe.index_visits,
        grouped_by=examples.grouped_by,
        settings=tuple(asdict(made.recipe.settings).items()),
        libraries=tuple(made.libraries.items()),
        resamples=resamples,
    )


def _flow(again: Repeated) -> Flow:
    report = again.cohort.report
    return Flow(
        file=report.file,
        rows=report.rows,
        patients=report.patients,
        patients_excluded=report.patients_excluded,
        why_patients=tuple((code.replace("_", " "), count) for code, count in report.excluded_patients),
        patients_with_outcome=report.patients_with_outcome,
        patients_without_outcome=report.patients_without_outcome,
        why_visits=report.excluded_visits,
        examples=report.examples,
        deaths=report.deaths,
        sites=len({example.site for example in again.cohort.examples if example.site is not None}),
    )


def _gain(examples: Examples, evaluation: Evaluation, *, resamples: int, seed: int) -> Gain:
    draws = patient_draws(examples.patient, resamples, seed)
    drawn = {
        name: figures(evaluation.observed, forecasts, examples.patient, draws)
        for name, forecasts in evaluation.forecasts.items()
    }
    best = min((name for name in drawn if name != MODEL), key=lambda name: float(drawn[name]["rmse"][0]))
    rmse, score = (difference(drawn[MODEL][key] - drawn[best][key]) for key in ("rmse", "interval_score"))
    return Gain(best, rmse, score)
