"""How much of what is attainable a model reaches: fresh simulated patients whose best answer is known.

    python benchmarks/attainable.py [--patients 100 300 1000 5000] [--draws 5] [--fresh 20000] [--earlier-visit]
                                    [--learn-from slopes|rates|rates-of-all]

A model is trained on the observed slopes of a simulated cohort, as a user would, and asked about fresh patients at
their enrolment. Its share of the attainable gain is (MSE mean - MSE model) / (MSE mean - MSE oracle), each against
the true rate of all fresh patients, those who later left or died among them; "mean" is the mean of the slopes that
the model was trained on. Trees and copula alone are parts of the same fit.

"of slopes" is the same share against the slopes that were then observed: the oracle knows nothing of who will stay
long enough to have one, so there a model may come nearer than against the true rates of all.

Intervals are of an observed slope, which is the true rate and the noise of some scores. So they are held to the
slopes that the fresh patients then had (those who stayed long enough), beside the oracle's distribution with the
noise of each such slope; and to the true rates, which lie in them more often. Coverage by group is over all draws.

With --earlier-visit the model and the oracle are also given the visit before enrolment, where there was one.

With --learn-from rates the model is told the true rates of those patients, which no user can know: what is missing
then is not the noise of slopes. With rates-of-all it is also told those of the patients without an outcome, at
their enrolment: what is missing then is the learner's alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.special import ndtri

from features.table import TIME, patients
from model.distribution import band_of
from model.predictor import BANDS
from model.regressor import ProgressionRegressor
from training.cohort import read_cohort
from training.examples import Examples, examples_of
from training.fit import regressor_for
from training.metrics import Forecasts, metrics
from training.outcome import Outcome, outcome
from training.reference.oracle import attainable
from training.reference.rate_mixture import RateMixture
from training.reference.reference_cohort import Draw, draw
from training.worth import MARKERS

FRESH_SEED = 990_000
COVERAGE = 0.9
NOISE = ndtri((np.arange(15) + 0.5) / 15)  # a normal distribution as 15 points of equal weight
COLUMNS = (
    *("share", "trees", "copula", "of slopes", "cover slope", "score/best", "cover true", "score/best"),
    *("rows", "columns", "seconds"),
)
WIDTH = 12
FEWEST = 500  # patients in a pattern of missing markers that is judged by itself


@dataclass(frozen=True)
class Fresh:
    """Patients nobody was trained on: (n,) each; slopes are NaN where none was observed."""

    records: list
    true: np.ndarray
    slope: np.ndarray
    oracle: np.ndarray
    true_interval: np.ndarray  # (n, 2), the oracle's of the true rate
    slope_interval: np.ndarray  # (n, 2), and of the slope
    groups: Mapping[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 300, 1000, 5000])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--fresh", type=int, default=20_000)
    parser.add_argument("--earlier-visit", action="store_true")
    parser.add_argument("--learn-from", choices=("slopes", "rates", "rates-of-all"), default="slopes")
    asked = parser.parse_args()
    fresh = fresh_patients(asked.fresh, earlier_visit=asked.earlier_visit)
    told = ~np.isnan(fresh.slope)
    error = np.mean((fresh.true - fresh.oracle) ** 2)
    scores = score(fresh.true, fresh.true_interval), score(fresh.slope[told], fresh.slope_interval[told])
    print(
        f"{len(fresh.records)} fresh patients, {told.sum()} of them with an observed slope; MSE of the oracle "
        f"{error:.4f}; its interval scores {scores[0]:.3f} (true rate), {scores[1]:.3f} (slope)",
        flush=True,
    )
    for number in asked.patients:
        several(number, asked.draws, fresh, asked.learn_from)


def several(number: int, draws: int, fresh: Fresh, learn_from: str) -> None:
    print(f"\n{number} patients")
    print(f"{'':4}" + "".join(f"{name:>{WIDTH}}" for name in COLUMNS))
    found, inside = [], []
    for seed in range(draws):
        examples = simulated(number, seed, learn_from)
        start = perf_counter()
        regressor = regressor_for(examples.matrix, 0).fit(examples.X, examples.y, groups=examples.groups)
        seconds = perf_counter() - start
        X = examples.matrix.rows(fresh.records)
        interval = regressor.predict_interval(X, COVERAGE)
        told = ~np.isnan(fresh.slope)
        row = [share(fresh.true, examples.y.mean(), estimates, fresh.oracle) for estimates in parts(regressor, X)]
        row.append(share(fresh.slope[told], examples.y.mean(), regressor.predict(X)[told], fresh.oracle[told]))
        for observed, ours, best in (
            (fresh.slope[told], interval[told], fresh.slope_interval[told]),
            (fresh.true, interval, fresh.true_interval),
        ):
            row += [covered(observed, ours).mean(), score(observed, ours) / score(observed, best)]
        row += [len(examples.y), len(examples.matrix.columns), seconds]
        print(line(str(seed), row), flush=True)
        found.append(row)
        bands = band_of(regressor.predict(X))
        groups = {f"predicted {band}": bands == at for at, band in enumerate(BANDS)} | dict(fresh.groups)
        inside.append({name: held_to(interval, fresh, these) for name, these in groups.items()})
    print(line("med.", np.median(found, axis=0)))
    for name in inside[0]:
        slope, true = np.nanmean([each[name] for each in inside], axis=0)
        print(f"  {name:60} {slope:.3f} of slopes, {true:.3f} of true rates")


def line(name: str, row: Sequence[float]) -> str:
    return f"{name:4}" + "".join(f"{value:{WIDTH}.{0 if value > 50 else 3}f}" for value in row)


def held_to(interval: np.ndarray, fresh: Fresh, these: np.ndarray) -> tuple[float, float]:
    """Share of the observed slopes, and of the true rates, of some patients in their intervals."""
    told = these & ~np.isnan(fresh.slope)
    pairs = ((fresh.slope, told), (fresh.true, these))
    slope, true = (covered(y[rows], interval[rows]).mean() if rows.any() else np.nan for y, rows in pairs)
    return slope, true


def parts(regressor: ProgressionRegressor, X: np.ndarray) -> Iterator[np.ndarray]:
    """Estimates (n,) of the model, and of its trees and copulas alone; NaN where a situation has no such part."""
    yield regressor.predict(X)
    which = regressor.model_.situation_of(X)
    for kind in ("trees", "copula"):
        estimates = np.full(len(X), np.nan)
        for number, situation in enumerate(regressor.model_.situations):
            for part in situation.location:
                if part.kind == kind:
                    these = which == number
                    estimates[these] = part.estimate(X[these]) / part.weight
        yield estimates


def share(rates: np.ndarray, mean_rate: float, estimates: np.ndarray, best: np.ndarray) -> float:
    mean, model, oracle = (float(np.mean((rates - each) ** 2)) for each in (mean_rate, estimates, best))
    return (mean - model) / (mean - oracle)


def covered(observed: np.ndarray, interval: np.ndarray) -> np.ndarray:
    return (observed >= interval[:, 0]) & (observed <= interval[:, 1])


def score(observed: np.ndarray, interval: np.ndarray) -> float:
    forecasts = Forecasts(interval.mean(axis=1), interval, COVERAGE)
    return round(metrics(observed, forecasts)["interval_score"], 4)


def simulated(number: int, seed: int, learn_from: str = "slopes") -> Examples:
    drawn = draw(number, seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cohort.parquet"
        drawn.visits.to_parquet(file)
        examples = examples_of(read_cohort(file))
    if learn_from == "slopes":
        return examples
    rate = drawn.truth.set_index("patient_id")["true_rate"]
    examples = replace(examples, y=rate.loc[examples.patient].to_numpy())
    return examples if learn_from == "rates" else with_the_others(examples, drawn)


def with_the_others(examples: Examples, drawn: Draw) -> Examples:
    """The examples, and the enrolment of each patient who has no outcome, with its true rate."""
    known = drawn.visits[drawn.planned == 0].drop(columns=["death_month"])
    there = set(examples.patient)
    others = [each for each in patients(known.to_dict("records")) if each.patient_id not in there]
    rate = drawn.truth.set_index("patient_id")["true_rate"].loc[[each.patient_id for each in others]].to_numpy()
    site = known.set_index("patient_id")["site"].loc[[each.patient_id for each in others]].to_numpy(str)
    return replace(
        examples,
        X=np.vstack([examples.X, examples.matrix.rows([each.record for each in others])]),
        y=np.concatenate([examples.y, rate]),
        standard_error=np.concatenate([examples.standard_error, np.zeros(len(others))]),
        patient=np.concatenate([examples.patient, [each.patient_id for each in others]]),
        site=np.concatenate([examples.site, site]),
    )


def fresh_patients(number: int, *, earlier_visit: bool) -> Fresh:
    drawn = draw(number, FRESH_SEED)
    best = attainable(drawn.enrolled, drawn.before if earlier_visit else None)
    known = drawn.visits[(drawn.planned <= 0) if earlier_visit else (drawn.planned == 0)]
    records = [patient.record for patient in patients(known.drop(columns=["death_month"]).to_dict("records"))]
    outcomes = later(drawn)
    slope = np.array([each.progression_rate if each else np.nan for each in outcomes])
    noise = np.array([each.standard_error if each else 0.0 for each in outcomes])
    tails = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    return Fresh(
        records=records,
        true=drawn.truth["true_rate"].to_numpy(),
        slope=slope,
        oracle=best.rate,
        true_interval=np.column_stack([best.quantile(tail) for tail in tails]),
        slope_interval=np.column_stack([noisy_quantile(best, noise, tail) for tail in tails]),
        groups=groups_of(drawn),
    )


def later(drawn: Draw) -> list[Outcome | None]:
    """The outcome of each patient after enrolment, as a cohort file gives it."""
    found = []
    for patient, month in zip(
        patients(drawn.visits.drop(columns=["death_month"]).to_dict("records")), drawn.enrolled[TIME], strict=True
    ):
        at = next(i for i, visit in enumerate(patient.record.visits) if visit.month == month)
        each = outcome(patient.record, at, "alsfrs_r_total")
        found.append(each if isinstance(each, Outcome) else None)
    return found


def noisy_quantile(best: RateMixture, noise: np.ndarray, level: float) -> np.ndarray:
    """Of the rate with a normal noise of these SDs, (n,), by bisection."""
    low, high = np.full(len(noise), -5.0), np.full(len(noise), 15.0)
    for _ in range(20):
        middle = (low + high) / 2
        under = np.mean([best.below(middle - noise * each) for each in NOISE], axis=0) < level
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return (low + high) / 2


def groups_of(drawn: Draw) -> dict[str, np.ndarray]:
    """Masks of the groups in which coverage is judged, by name."""
    enrolled, late = drawn.enrolled, drawn.truth["late_phase"].to_numpy() >= 0.5
    found = {"early phase": ~late, "late phase": late}
    for column in ("sex", "onset_site"):
        found |= {
            f"{column} {value}": (enrolled[column] == value).to_numpy() for value in enrolled[column].unique()
        }
    made = {marker: _measured(drawn, marker) for marker in MARKERS}
    patterns = np.array([", ".join(marker for marker in MARKERS if made[marker][i]) for i in range(len(enrolled))])
    for pattern, count in zip(*np.unique(patterns, return_counts=True), strict=True):
        if count >= FEWEST:
            found[f"measured: {pattern or 'no marker'}"] = patterns == pattern
    return found


def _measured(drawn: Draw, marker: str) -> np.ndarray:
    columns = [c for c in drawn.enrolled.columns if any(c.startswith(name) for name in MARKERS[marker])]
    numbers = [c for c in columns if not c.endswith("_comparator")]
    return drawn.enrolled[numbers].notna().any(axis=1).to_numpy()


if __name__ == "__main__":
    main()
