"""How often `tregcast evaluate` finds what is not there: cohorts in which Tregs have nothing to do with the rate.

    python benchmarks/no_treg_effect.py [--draws 20] [--first 0] [--patients 300] [--with-effect] [--together]

Simulated cohorts without a Treg effect (with one, for contrast), seeds 0, 1, 2 ... or from `--first` on. Each is
given to what `tregcast evaluate --only treg` runs. Five comparisons: what the Treg count adds on the ladder and
what Treg suppression adds above it, what each adds to everything else, and what both add (with --together just
this). A row a draw: the change of the RMSE in points/month with its 95 % interval, * where it leaves zero out.
Then, for every figure of the report, the draws whose interval holds zero, and those in which it lies wholly below
or above.

An interval that kept its word would hold the true change in 19 draws of 20. Without an effect that change is not
quite zero either: columns that say nothing cost a fit something, and a CD4+ count, part of the Treg count here,
says a little of the rate where the lymphocytes were not measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

import numpy as np

from training.cohort import read_cohort
from training.examples import examples_of
from training.reference.reference_cohort import simulate
from training.worth import Difference, markers_like, worth

TREGS = markers_like(["treg"])
WIDTH = 31  # of a column


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--with-effect", action="store_true")
    parser.add_argument("--together", action="store_true")
    asked = parser.parse_args()
    print(
        f"{asked.draws} cohorts of {asked.patients} patients, {'with' if asked.with_effect else 'no'} Treg effect"
    )
    draws = []
    for seed in range(asked.first, asked.first + asked.draws):
        start = perf_counter()
        found = compared(asked.patients, seed, treg_effect=asked.with_effect, together=asked.together)
        if not draws:
            print("\nchange of the RMSE\n    " + "".join(f"{name:{WIDTH}}" for name in found) + " seconds")
        row = "".join(f"{told(differences['rmse']):{WIDTH}}" for differences in found.values())
        print(f"{seed:3} {row}{perf_counter() - start:8.0f}", flush=True)
        draws.append(found)
    for name in draws[0]:
        print(f"\n{name:30}  holds zero  below  above  mean change")
        for key in draws[0][name]:
            counted([found[name][key] for found in draws], key)


def compared(patients: int, seed: int, *, treg_effect: bool, together: bool) -> dict[str, Mapping[str, Difference]]:
    """What Tregs change in one cohort: differences by figure of the report, by comparison."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cohort.parquet"
        simulate(patients, seed, treg_effect=treg_effect).to_parquet(file)
        found = worth(examples_of(read_cohort(file)), only=TREGS, singly=not together)
    assert found.together is not None
    comparisons = {f"+ {each.marker}": each for each in found.ladder}
    comparisons |= {f"all others + {each.marker}": each for each in found.left_out}
    comparisons["all others + both"] = found.together
    return {name: {**each.differences, "relative_width": each.relative_width} for name, each in comparisons.items()}


def told(change: Difference) -> str:
    return f"{change.estimate:+.4f} ({change.lower:+.4f} {change.upper:+.4f}){'*' if change.clear else ''}"


def counted(changes: list[Difference], key: str) -> None:
    below, above = sum(change.upper < 0 for change in changes), sum(change.lower > 0 for change in changes)
    mean = np.mean([change.estimate for change in changes])
    print(f"  {key:28}  {len(changes) - below - above:4} of {len(changes):2}  {below:5}  {above:5}  {mean:+11.4f}")


if __name__ == "__main__":
    main()
