"""The oracle: the distribution of the true rate of a simulated patient, given all that was measured at enrolment.

It knows how the patients were made, so no model that sees the same can have a smaller mean squared error, but for
chance. What it is given, and what it leaves out, stands in ``docs/oracle.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.table import PATIENT, SITE, TIME
from training.reference.course_nodes import course_nodes
from training.reference.disease_course import late_phase
from training.reference.interval_evidence import readings
from training.reference.rate_mixture import RateMixture
from training.reference.reference_cohort import Draw
from training.reference.reference_constants import CD4, EARLIER_RATE, LATER_RATE, Constants
from training.reference.reference_copula import cohort_constants, reference_copula
from training.reference.reference_people import DELAY, LAG
from training.reference.reference_visits import TOTAL
from training.reference.score_intervals import BEFORE, COUNT, SHARE, ScoreIntervals, count_weights, score_intervals

Floats = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
INDEX_MONTH = "index_month"
_TARGETS = (LATER_RATE, EARLIER_RATE, DELAY, LAG)
_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """How scores as measured come from traits, in each phase: covariance (names, names), and with the targets."""

    early: Floats
    late: Floats
    early_targets: Floats  # shape (names, 4)
    late_targets: Floats


def attainable(
    enrolled: pd.DataFrame, before: pd.DataFrame | None = None, *, treg_effect: bool = True
) -> RateMixture:
    """The distributions of the rate to come, given what was measured.

    Args:
        enrolled: visits of enrolment as `simulate` makes them, one row a patient; what is set to missing is not
            used. ``sex``, ``site``, ``months_since_onset`` and ``alsfrs_r_total`` must be there.
        before: the visits before enrolment, at most one a patient.
        treg_effect: as the patients were drawn.

    Raises:
        ValueError: two rows of one patient, or one of the three columns is missing.

    >>> from training.reference.reference_cohort import draw
    >>> drawn = draw(20, seed=1)
    >>> attainable(drawn.enrolled, drawn.before).rate.shape
    (20,)
    """
    _require(enrolled, before)
    constants = cohort_constants(treg_effect)
    evidence = score_intervals(constants, enrolled, before)
    earlier = _earlier_scores(enrolled, before)
    parts, order = [], []
    for patients in _batches(enrolled, earlier):
        parts.append(
            _mixture(constants, treg_effect, enrolled.iloc[patients], earlier[patients], evidence.of(patients))
        )
        order.append(patients)
    back = np.argsort(np.concatenate(order))
    weight, mean, sd = (np.concatenate([part[i] for part in parts])[back] for i in range(3))
    course = constants.course
    marginal = constants.variables[LATER_RATE].marginals["any"]
    return RateMixture(weight, mean, sd, marginal, (course.smallest_rate, course.highest_rate))


def oracle_table(drawn: Draw) -> pd.DataFrame:
    """One row a patient: the true rate, and the mean, SD, quantiles and bands of it that the oracle can tell.

    >>> from training.reference.reference_cohort import draw
    >>> oracle_table(draw(3, seed=1)).columns[:5].tolist()
    ['patient_id', 'index_month', 'true_rate', 'rate_mean', 'rate_sd']
    """
    enrolled = drawn.enrolled
    found = attainable(enrolled, drawn.before, treg_effect=drawn.treg_effect)
    columns: dict[str, pd.Series | Floats] = {
        PATIENT: enrolled[PATIENT],
        INDEX_MONTH: enrolled[TIME],
        "true_rate": drawn.truth["true_rate"],
    }
    columns |= {"rate_mean": found.rate, "rate_sd": found.rate_sd}
    columns |= {f"rate_q{round(100 * level):02d}": found.quantile(level) for level in LEVELS}
    columns |= dict(zip(("p_slow", "p_intermediate", "p_fast"), found.bands.T, strict=True))
    return pd.DataFrame(columns)


def _require(enrolled: pd.DataFrame, before: pd.DataFrame | None) -> None:
    for rows in (enrolled, before):
        if rows is not None and not rows[PATIENT].is_unique:
            raise ValueError("oracle: one row a patient is needed, of enrolment and of an earlier visit each")
    for column in ("sex", SITE, TIME, TOTAL):
        if enrolled[column].isna().any():
            raise ValueError(f"oracle: {column} is missing for some patients; it is known of all simulated ones")


def _earlier_scores(enrolled: pd.DataFrame, before: pd.DataFrame | None) -> Floats:
    """Time and score of the visit before enrolment, NaN where there was none, shape (patients, 2)."""
    if before is None:
        return np.full((len(enrolled), 2), np.nan)
    rows = before.set_index(PATIENT).reindex(enrolled[PATIENT])
    return rows[[TIME, TOTAL]].to_numpy(dtype=np.float64)


def _batches(enrolled: pd.DataFrame, earlier: Floats) -> list[NDArray[np.int64]]:
    """Positions of patients, those of one kind together, so that their arrays have one shape."""
    kind = 2 * np.isfinite(earlier[:, 0]) + enrolled[DELAY].isna().to_numpy()
    found = []
    for each in np.unique(kind):
        size = _AT_ONCE // (8 if each % 2 else 1)  # without the delay there are more nodes
        these = np.flatnonzero(kind == each)
        found += [these[start : start + size] for start in range(0, len(these), size)]
    return found


def _mixture(
    constants: Constants, treg_effect: bool, rows: pd.DataFrame, earlier: Floats, evidence: ScoreIntervals
) -> tuple[Floats, Floats, Floats]:
    """Weights, means and SDs of the score of the later rate, shape (patients, nodes)."""
    months = rows[TIME].to_numpy(dtype=np.float64)
    late = late_phase(months, constants.course)
    model = _model(constants, treg_effect, evidence.names)
    one, other = (1.0 - late)[:, None, None], late[:, None, None]
    covariance = one * model.early + other * model.late
    with_targets = one * model.early_targets + other * model.late_targets
    value, variance = readings(covariance, evidence.low, evidence.high)
    total = covariance + variance[:, :, None] * np.eye(len(evidence.names))
    gain = np.linalg.solve(total, with_targets)
    copula = reference_copula(treg_effect)
    places = [copula.names.index(name) for name in _TARGETS]
    prior = copula.early[np.ix_(places, places)]  # of shared scores, and with them: the same in both phases
    mean = np.einsum("nij,ni->nj", gain, value)
    left = prior - np.einsum("nij,nik->njk", gain, with_targets)
    nodes = course_nodes(constants, months, rows, earlier)
    return nodes.mixture(mean, left)


def _model(constants: Constants, treg_effect: bool, names: tuple[str, ...]) -> _Model:
    copula = reference_copula(treg_effect)
    sources = list(dict.fromkeys(source for name in names for source, _ in _parts(constants, name)))
    loading = np.zeros((len(sources), len(copula.names)))
    noise = np.zeros(len(sources))
    for i, source in enumerate(sources):
        trait = source.removesuffix(BEFORE)
        lasting = constants.variables[trait].stability
        loading[i, copula.names.index(trait)] = np.sqrt(lasting)
        noise[i] = 1.0 - lasting
    mixing = np.zeros((len(names), len(sources)))
    for i, name in enumerate(names):
        for source, weight in _parts(constants, name):
            mixing[i, sources.index(source)] = weight
    loading, own = mixing @ loading, mixing * noise @ mixing.T
    places = [copula.names.index(name) for name in _TARGETS]
    covariances = [loading @ matrix @ loading.T + own for matrix in (copula.early, copula.late)]
    targets = [loading @ matrix[:, places] for matrix in (copula.early, copula.late)]
    return _Model(*covariances, *targets)


def _parts(constants: Constants, name: str) -> list[tuple[str, float]]:
    """The scores as measured that a name is a weighted sum of: itself, or the two factors of the Treg count."""
    if name.removesuffix(BEFORE) != COUNT:
        return [(name, 1.0)]
    suffix = BEFORE if name.endswith(BEFORE) else ""
    weights = count_weights(constants)
    spread = float(np.sqrt(sum(weight**2 for weight in weights.values())))
    return [(factor + suffix, weights[factor] / spread) for factor in (CD4, SHARE)]
