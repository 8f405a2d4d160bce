"""What accuracy there is to be had: the oracle on fresh simulated patients, by what was measured.

    python benchmarks/oracle.py [--patients 20000] [--seed 2026] [--no-treg-effect]

R2 is that of the true rate of the twelve months after enrolment. "said" is what the oracle itself expects (variance
of its means over that plus its mean variance, little subject to chance); "found" is measured on these patients. The
last column is R2 as said among those who have at least one marker of each kind in the row.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from training.reference.oracle import attainable
from training.reference.reference_cohort import Draw, draw
from training.reference.score_intervals import without

KINDS = {
    "respiration, weight, C9orf72": ("fvc_pct", "svc_pct", "weight_kg", "bmi_kg_m2", "height_cm", "c9orf72"),
    "blood count (NLR)": ("neutrophils_10e9_l", "lymphocytes_10e9_l", "monocytes_10e9_l"),
    "acute phase": ("crp_mg_l", "ferritin_ug_l", "lbp_ug_ml", "scd14_ng_ml", "albumin_g_l"),
    "creatinine, uric acid": ("creatinine_umol_l", "uric_acid_umol_l"),
    "cytokines": (
        *("il6_pg_ml", "tnf_alpha_pg_ml", "il1_beta_pg_ml", "il17a_pg_ml", "ifn_gamma_pg_ml", "il10_pg_ml"),
        *("ccl2_pg_ml", "chit1_ng_ml"),
    ),
    "neurofilaments": ("nfl_pg_ml", "pnfh_pg_ml"),
    "Treg number": ("treg_pct_cd4", "treg_count_per_ul", "cd4_count_per_ul", "cd8_count_per_ul"),
    "Treg function": ("treg_suppression_pct", "foxp3_mrna_ratio"),
}


@dataclass(frozen=True)
class Patients:
    cohort: Draw
    rate: np.ndarray

    def line(self, label: str, kinds: list[str], *, before: bool = False) -> str:
        rows = self.cohort.enrolled
        hidden = [name for kind, names in KINDS.items() if kind not in kinds for name in names]
        seen = attainable(
            without(rows, hidden),
            self.cohort.before if before else None,
            treg_effect=self.cohort.treg_effect,
        )
        found = 1.0 - np.mean((self.rate - seen.rate) ** 2) / self.rate.var()
        measured = np.all(
            [rows[list(KINDS[kind])].notna().any(axis=1) for kind in kinds] or [self.rate > 0], axis=0
        )
        said, whole = (_said(seen.rate[these], seen.rate_sd[these]) for these in (self.rate > 0, measured))
        width = np.mean(seen.quantile(0.95) - seen.quantile(0.05))
        return f"{label:44} {said:7.3f} {found:7.3f} {width:9.3f} {measured.mean():9.3f} {whole:9.3f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--no-treg-effect", dest="treg_effect", action="store_false")
    given = parser.parse_args()
    cohort = draw(given.patients, given.seed, treg_effect=given.treg_effect)
    rate = cohort.truth["true_rate"].to_numpy()
    start = perf_counter()
    best = attainable(cohort.enrolled, cohort.before, treg_effect=given.treg_effect)
    took = perf_counter() - start
    of_mean, of_oracle = rate.var(), np.mean((rate - best.rate) ** 2)
    error = np.std((rate - rate.mean()) ** 2 - (rate - best.rate) ** 2) / np.sqrt(len(rate))
    print(
        f"{given.patients} patients, seed {given.seed}, Treg effect {given.treg_effect}; answered in {took:.1f} s"
    )
    print(
        f"MSE of the mean {of_mean:.4f}, of the oracle {of_oracle:.4f}: attainable gain {of_mean - of_oracle:.4f}"
    )
    print(f"(standard error {error:.4f}); MSE as the oracle says {np.mean(best.rate_sd**2):.4f}")
    print(f"ratio of the mean's to the oracle's {of_mean / of_oracle:.3f}")
    place = best.below(rate)
    print("share of true rates below its quantiles:", end="")
    print("".join(f"  {level:.2f}: {np.mean(place < level):.4f}" for level in (0.05, 0.25, 0.5, 0.75, 0.95)))
    print(f"; uniform: Kolmogorov-Smirnov p = {stats.kstest(place, 'uniform').pvalue:.2f}")
    print(f"\n{'measured':44} {'R2 said':>7} {'found':>7} {'90% width':>9} {'have all':>9} {'R2 there':>9}")
    everything = Patients(cohort, rate)
    kinds: list[str] = []
    print(everything.line("score, months, delay, age, sex, onset", kinds))
    for kind in KINDS:
        kinds.append(kind)
        print(everything.line(f"+ {kind}", kinds))
    print(everything.line("+ the visit before enrolment", kinds, before=True))
    for kind in KINDS:
        print(everything.line(f"all but {kind}", [other for other in KINDS if other != kind]))
    for kind in KINDS:
        print(everything.line(f"first line + {kind}", [kind]))


def _said(mean: np.ndarray, sd: np.ndarray) -> float:
    return mean.var() / (mean.var() + np.mean(sd**2)) if len(mean) >= 100 else np.nan


if __name__ == "__main__":
    main()
