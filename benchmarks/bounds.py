"""How many observed outcomes would take the score of their index visit below 0 within so many months.

python benchmarks/bounds.py COHORT [MAPPING]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from features.derive import SCALE_MAXIMUM
from training.cohort import read_cohort
from training.examples import examples_of

MONTHS = (12.0, 6.0, 3.0)


def main(path: Path, mapping: Path | None) -> None:
    examples = examples_of(read_cohort(path, mapping))
    scale = examples.matrix.scale
    score = examples.feature(scale)
    for months in MONTHS:
        below, above = examples.y > score / months, examples.y < (score - SCALE_MAXIMUM[scale]) / months
        print(
            f"within {months:g} months: {below.sum()} of {len(below)} below 0 ({below.mean():.1%}), "
            f"{above.sum()} above the maximum ({np.mean(above):.1%})"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
