"""``make proact PROACT=path/to/proact_visits.csv.gz``: the walk of the demo on real trial patients.

PRO-ACT data are had by registration and are not part of this project. The file
is a long table, one row a visit; training/mappings/proact.toml says which columns it has.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from walk import service, step, tregcast

from features.compose import compose
from training.cohort import read_cohort

MAPPING = Path(os.path.relpath(Path(__file__).parents[1] / "training" / "mappings" / "proact.toml"))
MODEL = "als-progression-proact"
VISITS = 2  # of the patient who is asked about: two, so that there is a change per month


def main(cohort_file: Path) -> None:
    """Train on real patients, serve the model, and ask about one of them as of the second visit."""
    step("1. Train on the trial patients, evaluate by cross-validation, log to MLflow, register")
    tregcast("train", str(cohort_file), "--mapping", str(MAPPING), "--name", MODEL)
    step("2. Start the service on that model, and ask it about one of its patients")
    example = next(e for e in read_cohort(cohort_file, MAPPING).examples if len(e.record.visits) == VISITS)
    with tempfile.TemporaryDirectory() as folder, service(f"models:/{MODEL}@challenger") as url:
        record = Path(folder) / "record.json"
        record.write_text(json.dumps(compose(example.record)), "utf-8")
        tregcast("predict", str(record), "--url", url)
    found = example.outcome
    print(
        f"\nObserved over the following {found.span_months:.0f} months: {found.progression_rate:.2f} points/month "
        f"(standard error {found.standard_error:.2f}). The model has seen this patient; the figures above under "
        "'Evaluation' are from models that had not."
    )


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("usage: make proact PROACT=path/to/proact_visits.csv.gz")
    main(Path(sys.argv[1]))
