"""Does training on every visit cost accuracy at the first one? Cross-validated on a cohort file.

    .venv/bin/python benchmarks/index_visits.py COHORT [MAPPING]

Prints R2 at each patient's first index visit for a model trained on every visit and for one trained on first visits
only, over the same patients.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from training.cohort import IndexVisits, read_cohort
from training.evaluation import MODEL, evaluate
from training.examples import examples_of
from training.fit import regressor_for
from training.metrics import Forecasts, metrics


def main(path: Path, mapping: Path | None) -> None:
    policies: tuple[IndexVisits, ...] = ("every", "first")
    for policy in policies:
        examples = examples_of(read_cohort(path, mapping, index_visits=policy))
        found = evaluate(examples, lambda matrix=examples.matrix: regressor_for(matrix, 0))
        _, first = np.unique(examples.patient, return_index=True)
        forecasts = found.forecasts[MODEL]
        part = Forecasts(forecasts.rate[first], forecasts.interval[first], forecasts.coverage)
        values = metrics(found.observed[first], part)
        print(
            f"trained on {policy} visit(s), {len(examples.y)} examples: at {len(first)} first visits "
            f"R2 {values['r2']:.3f}, RMSE {values['rmse']:.3f}, coverage {values['coverage']:.3f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
