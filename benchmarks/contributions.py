"""Do a model's contributions rank a patient's measurements as the oracle's own Shapley values do?

    python benchmarks/contributions.py [--patients 200] [--train 1000 ...] [--draws 1] [--permutations 128]
                                       [--by-player]

The oracle's game. A player is a quantity that was measured of the patient at enrolment, or several that follow
from each other (TOGETHER) and are known or unknown together. The value of a coalition is the oracle's mean rate,
given the base and what the coalition measured. The conditional Shapley values of this game add up to what all
measurements together change. They are sampled in pairs: a random permutation of the players, and it backwards.

The base is what the oracle cannot do without: sex, site, months since onset and the ALSFRS-R total; delta-FS
follows from it. Every coalition knows it, it is no player, and the model's contributions of it are not compared.
The items of the score and the visit before enrolment are left out on both sides, because the oracle makes no use
of the items, nor of an earlier vital capacity or weight, while a model does: both answer the same record, the
enrolment without items. In the model, a player's contribution is the sum over all columns made of its quantities.
To what was not measured the oracle gives nothing; what the model gives to it is not compared, but its size is told.

The second line of a model is the same game played with the model: its estimate of the record without what the
coalition does not know. It tells what the model has learnt wrong from what its contributions share out otherwise;
but it also asks for records without what was hardly ever missing in training, of which a model may say anything.

Rank correlations are over the players of one patient, signed; told are the median and the quartiles over patients.
The first line compares the oracle with itself on other permutations: what sampling leaves to be reached.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from scipy import stats

from features.consistency import ITEMS_ALSFRS_R
from features.feature import Feature
from features.matrix import DesignMatrix
from features.table import COMPARATOR, DEATH, PATIENT, SITE, TIME, patients
from features.vocabulary import vocabulary
from training.cohort import read_cohort
from training.examples import examples_of
from training.fit import regressor_for
from training.reference.oracle import attainable
from training.reference.reference_cohort import draw, simulate
from training.reference.reference_visits import TOTAL
from training.reference.score_intervals import without

FRESH_SEED = 991_000
AT_ONCE = 20_000
DECIMALS = 9  # what the oracle says of a quantity without any effect is not always zero to the last bit
TOGETHER = {
    "Treg number": ("treg_count_per_ul", "treg_pct_cd4", "cd4_count_per_ul"),
    "blood count": ("leukocytes_10e9_l", "neutrophils_10e9_l", "lymphocytes_10e9_l", "monocytes_10e9_l", "nlr"),
    "weight and height": ("weight_kg", "height_cm", "bmi_kg_m2"),
}
NO_PLAYERS = ("sex", SITE, TIME, TOTAL, *ITEMS_ALSFRS_R, PATIENT, DEATH)

Game = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From positions of patients and as many coalitions to rates. A coalition is a number: bit i is player i."""


@dataclass(frozen=True)
class Fresh:
    """Patients at enrolment, the columns of each player, and which players each patient has."""

    rows: pd.DataFrame
    players: Mapping[str, tuple[str, ...]]
    has: np.ndarray  # (patients, players)

    @classmethod
    def drawn(cls, number: int, seed: int) -> Fresh:
        rows = without(draw(number, seed).enrolled, ITEMS_ALSFRS_R).drop(columns=DEATH)
        taken = {column for columns in TOGETHER.values() for column in columns}
        alone = [c for c in rows if c not in {*NO_PLAYERS, *taken} and not c.endswith(COMPARATOR)]
        players = {**TOGETHER, **{column: (column,) for column in alone}}
        has = [rows[rows.columns.intersection(columns)].notna().any(axis=1) for columns in players.values()]
        return cls(rows, players, np.column_stack(has))

    def oracle(self, patient: np.ndarray, coalition: np.ndarray) -> np.ndarray:
        """The game of the oracle."""
        found = []
        for start in range(0, len(patient), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            rows = self.rows.iloc[patient[part]].reset_index(drop=True)
            rows[PATIENT] = [f"row-{number}" for number in range(len(rows))]  # the oracle wants a patient a row
            for player, columns in enumerate(self.players.values()):
                hidden = (coalition[part] >> player & 1) == 0
                named = [column + end for column in columns for end in ("", COMPARATOR)]
                rows.loc[hidden, rows.columns.intersection(named)] = None
            found.append(attainable(rows).rate)
        return np.concatenate(found)


@dataclass(frozen=True)
class Values:
    """Shapley values and their standard errors, both (patients, players), and how often the game was asked."""

    value: np.ndarray
    error: np.ndarray
    questions: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--train", type=int, nargs="+", default=[1000], help="patients to train on")
    parser.add_argument("--draws", type=int, default=1, help="cohorts of each size to train on")
    parser.add_argument("--permutations", type=int, default=128, help="of a patient's players, at least 4")
    parser.add_argument("--seed", type=int, default=FRESH_SEED, help="of the fresh patients")
    parser.add_argument("--sign-from", type=float, default=0.02, help="smallest value of which signs are compared")
    parser.add_argument("--by-player", action="store_true", help="also a table of the players, for each model")
    asked = parser.parse_args()
    fresh = Fresh.drawn(asked.patients, asked.seed)
    pairs = max(asked.permutations // 2, 2)
    start = perf_counter()
    first, second = (shapley(fresh.has, fresh.oracle, pairs, seed) for seed in (1, 2))
    took, questions = perf_counter() - start, first.questions + second.questions
    count, value, error = fresh.has.sum(axis=1), first.value[fresh.has], first.error[fresh.has]
    spread, typical = value.std(), np.sqrt(np.mean(error**2))
    print(f"{asked.patients} fresh patients (seed {asked.seed}) with {count.min()} to {count.max()} players each")
    print(f"oracle: twice {2 * pairs} permutations a patient, {questions} questions in {took:.0f} s")
    print(
        f"its values have an SD of {spread:.4f} points/month and a standard error of {typical:.5f} (root mean "
        f"square; largest {error.max():.5f}), {typical / spread:.1%} of that"
    )
    print(f"\n{'':26}  Spearman (quartiles)   Kendall (quartiles)    pooled r  same top  same sign      SD")

    def line(label: str, values: np.ndarray) -> None:
        print(f"{label:26}{agreement(values, first.value, fresh.has, asked.sign_from)}", flush=True)

    line("oracle, once more", second.value)
    for number in asked.train:
        for seed in range(asked.draws):
            shares, own, notes = answered(fresh, number, seed, pairs)
            line(f"{number} patients, draw {seed}", shares)
            line("  the same game with it", own)
            print(f"  {notes}", flush=True)
            if asked.by_player:
                print(by_player(fresh, shares, first.value), flush=True)
    large = int((np.abs(value) >= asked.sign_from).sum())
    print(f"\nsame sign: of {large} values of the oracle of at least {asked.sign_from:g}; there are {len(value)}")


def shapley(has: np.ndarray, game: Game, pairs: int, seed: int) -> Values:
    """The values of each patient's players, from pairs of a permutation and the same backwards."""
    generator = np.random.default_rng(seed)
    orders, coalitions, places = [], [], []
    for players in has:
        forwards = generator.permuted(np.tile(np.flatnonzero(players), (pairs, 1)), axis=1)
        order = np.stack([forwards, forwards[:, ::-1]], axis=1)  # (pairs, 2, players of the patient)
        known = np.cumsum(1 << order, axis=2)
        known = np.concatenate([np.zeros((pairs, 2, 1), known.dtype), known], axis=2)
        different, place = np.unique(known, return_inverse=True)
        orders.append(order)
        coalitions.append(different)
        places.append(place.reshape(known.shape))
    sizes = [len(different) for different in coalitions]
    rates = game(np.repeat(np.arange(len(sizes)), sizes), np.concatenate(coalitions))
    value, error = np.zeros(has.shape), np.zeros(has.shape)
    for patient, rate in enumerate(np.split(rates, np.cumsum(sizes)[:-1])):
        share = np.zeros((pairs, 2, has.shape[1]))
        np.put_along_axis(share, orders[patient], np.diff(rate[places[patient]], axis=2), axis=2)
        of_pair = share.mean(axis=1)
        value[patient], error[patient] = of_pair.mean(axis=0), of_pair.std(axis=0, ddof=1) / np.sqrt(pairs)
    return Values(value.round(DECIMALS), error, sum(sizes))


def answered(fresh: Fresh, number: int, seed: int, pairs: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Of a trained model: its contributions and the values of its own game (patients, players), and notes."""
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cohort.parquet"
        simulate(number, seed).to_parquet(file)
        examples = examples_of(read_cohort(file))
    regressor = regressor_for(examples.matrix, 0).fit(examples.X, examples.y, groups=examples.groups)
    took = perf_counter() - start
    X = examples.matrix.rows(patient.record for patient in patients(fresh.rows.to_dict("records")))
    owner = owners(examples.matrix, fresh.players)

    def game(patient: np.ndarray, coalition: np.ndarray) -> np.ndarray:
        known = (owner < 0) | ((coalition[:, None] >> np.maximum(owner, 0)) & 1 == 1)
        return regressor.predict(np.where(known, X[patient], np.nan))

    start = perf_counter()
    own = shapley(fresh.has, game, pairs, seed=1).value
    took_own = perf_counter() - start
    shares = regressor.contributions(X)[:, :-1]
    of_player = np.column_stack([shares[:, owner == at].sum(axis=1) for at in range(len(fresh.players))])
    of_base = np.abs(shares[:, owner < 0].sum(axis=1)).sum()
    of_unmeasured, whole = np.abs(of_player[~fresh.has]).sum(), np.abs(of_player).sum() + of_base
    r = np.corrcoef(regressor.predict(X), attainable(fresh.rows).rate)[0, 1]
    notes = (
        f"of the size of its contributions {of_base / whole:.1%} are of the base, {of_unmeasured / whole:.1%} of "
        f"what was not measured; r of the estimates {r:.3f}; {took:.0f} s to train, {took_own:.0f} s for its game"
    )
    return of_player, own, notes


def owners(matrix: DesignMatrix, players: Mapping[str, tuple[str, ...]]) -> np.ndarray:
    """Which player each column of a design matrix belongs to (p,); -1 for the base."""
    whose = {column: player for player, columns in enumerate(players.values()) for column in columns}
    return np.array([whose.get(source(feature), -1) for feature in matrix.features])


def source(feature: Feature) -> str | None:
    """The column of a cohort that a feature is made of."""
    words = vocabulary()
    if feature.quantity is not None:
        return words.quantities[feature.quantity].column
    return next((name for name, category in words.categories.items() if feature.column in category.columns), None)


def agreement(values: np.ndarray, oracle: np.ndarray, has: np.ndarray, sign_from: float) -> str:
    """How values agree with the oracle's, in one line; the last figure is their own SD."""
    pairs = [(a[these], b[these]) for a, b, these in zip(values, oracle, has, strict=True)]
    ranks = [[stats.spearmanr(a, b).statistic, stats.kendalltau(a, b).statistic] for a, b in pairs]
    quartiles = np.quantile(np.array(ranks), [0.25, 0.5, 0.75], axis=0).T
    told = "".join(f"  {middle:8.3f} ({low:5.3f}-{high:5.3f})" for low, middle, high in quartiles)
    top = np.mean([np.argmax(np.abs(a)) == np.argmax(np.abs(b)) for a, b in pairs])
    a, b = values[has], oracle[has]
    large = np.abs(b) >= sign_from
    same = np.mean(np.sign(a[large]) == np.sign(b[large]))
    return f"{told}  {np.corrcoef(a, b)[0, 1]:10.3f}{top:10.3f}{same:11.3f}{a.std():8.4f}"


def by_player(fresh: Fresh, model: np.ndarray, oracle: np.ndarray) -> str:
    """A line a player: contributions beside the oracle's values, and their size where it was not measured."""
    lines = [f"\n  {'':24}  patients  SD oracle  SD model       r  mean size where not measured"]
    for player, name in enumerate(fresh.players):
        has = fresh.has[:, player]
        a, b = model[has, player], oracle[has, player]
        r = np.corrcoef(a, b)[0, 1] if len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan
        unmeasured = np.abs(model[~has, player]).mean() if not has.all() else np.nan
        lines.append(f"  {name:24}  {has.sum():8}{b.std():11.3f}{a.std():10.3f}{r:8.2f}{unmeasured:15.4f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
