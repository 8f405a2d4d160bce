"""``make demo``: the reference cohort, drawn, trained on, registered, served and asked.

Everything is simulated and says so. It leaves the trained model in the local tracking store under ``mlruns/``.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from walk import service, step, tregcast

PATIENT = Path(os.path.relpath(Path(__file__).with_name("patient.json")))
COHORT = Path("mlruns") / "reference_cohort.parquet"
MODEL = "als-progression"


def main(patients: int) -> None:
    """Walk from nothing to an explained prediction."""
    started = time.monotonic()
    step(f"1. Draw the reference cohort: {patients} simulated patients")
    tregcast("cohort", "simulate", "--patients", str(patients), "--seed", "7", "--out", str(COHORT))
    step("2. Train, evaluate by cross-validation, log to MLflow, register")
    tregcast("train", str(COHORT), "--name", MODEL)
    step("3. Start the service on the registered model, and ask it about an example patient")
    with service(f"models:/{MODEL}@challenger") as url:
        tregcast("predict", str(PATIENT), "--url", url)
    step("Where to look next")
    print(
        f"""  make serve             serves the champion on http://127.0.0.1:3000 (a page of the API on port 3001)
  make mlflow-ui         runs, metrics, plots and registered models on http://127.0.0.1:5000
  examples/patient.json  the record that was sent; change it and ask again:
                         tregcast predict examples/patient.json
  README.md              how to train on your own cohort

Done in {time.monotonic() - started:.0f} s; the service has been stopped."""
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1000, help="to draw; fewer are quicker and less certain")
    main(parser.parse_args().patients)
