"""What a training run keeps of its cross-validation: an honest forecast for each example, and who was trained on.

A comparison months later can then ask what a version said of a patient before it had seen that patient. The file
lies beside the pack in the run, never in the pack: packs stay as they are (docs/decisions/0003).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.canonical import canonical_json
from training.cohort import Cohort, Example
from training.evaluation import MODEL, Evaluation
from training.registry import RegistryError, Version

Floats = NDArray[np.float64]

ARTIFACT = "forecasts.json"
DIGEST_TAG = "tregcast.forecasts_sha256"


@dataclass(frozen=True, slots=True)
class KeptForecasts:
    """Out-of-fold forecasts by `example_key`, (rate, lower, upper) of the 90 % interval in points/month.

    ``patients`` holds the keys of all who were trained on.
    """

    by_example: Mapping[str, tuple[float, float, float]]
    patients: frozenset[str]

    def as_json(self) -> bytes:
        """The file's bytes: the same forecasts have the same bytes."""
        return canonical_json({"examples": dict(self.by_example), "patients": sorted(self.patients)})


def patient_key(patient_id: str) -> str:
    """The sha256 of a patient's id. A pseudonym, not anonymity: who has a list of ids can find them again.

    >>> patient_key("P-1")[:12]
    '96a6b084a980'
    """
    return hashlib.sha256(json.dumps([patient_id]).encode()).hexdigest()


def example_key(example: Example, scale: str) -> str:
    """The sha256 of patient id, months of the index visit since onset (to a hundredth) and score scale.

    The same visit in another file, with other columns, has the same key. Like `patient_key`, a pseudonym.
    """
    month = f"{example.record.index_visit.month:.2f}"
    return hashlib.sha256(json.dumps([example.patient_id, month, scale]).encode()).hexdigest()


def kept_forecasts(cohort: Cohort, evaluation: Evaluation) -> KeptForecasts:
    """The cross-validated forecasts of a cohort's examples, which stand in the order of the evaluation."""
    found = evaluation.forecasts[MODEL]
    table = np.column_stack([found.rate, found.interval]).tolist()
    return KeptForecasts(
        {
            example_key(example, cohort.scale): (rate, lower, upper)
            for example, (rate, lower, upper) in zip(cohort.examples, table, strict=True)
        },
        frozenset(patient_key(example.patient_id) for example in cohort.examples),
    )


def log_forecasts(kept: KeptForecasts, name: str, version: str) -> None:
    """Log them to the active run, with their sha256 as a tag of the registered version."""
    import mlflow

    data = kept.as_json()
    mlflow.log_text(data.decode(), ARTIFACT)
    mlflow.MlflowClient().set_model_version_tag(name, version, DIGEST_TAG, hashlib.sha256(data).hexdigest())


def read_forecasts(version: Version) -> KeptForecasts:
    """What the run of a registered version kept.

    Raises:
        RegistryError: it kept none, they cannot be fetched, or they are not those that were registered.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    found = mlflow.MlflowClient().get_model_version(version.name, version.version)
    named = f"{version.name} version {version.version}"
    digest = found.tags.get(DIGEST_TAG)
    if digest is None:
        raise RegistryError(
            f"{named}: its run kept no forecasts, so nobody can tell which patients it has seen; train it again"
        )
    with tempfile.TemporaryDirectory() as scratch:
        try:
            uri = f"runs:/{found.run_id}/{ARTIFACT}"
            data = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch)).read_bytes()
        except (MlflowException, OSError) as error:
            raise RegistryError(f"{named}: {ARTIFACT} of run {found.run_id} cannot be fetched: {error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise RegistryError(f"{named}: {ARTIFACT} of run {found.run_id} is not the one registered ({DIGEST_TAG})")
    return _parsed(data)


def _parsed(data: bytes) -> KeptForecasts:
    table = json.loads(data)
    examples = {str(key): (float(r), float(low), float(high)) for key, (r, low, high) in table["examples"].items()}
    return KeptForecasts(examples, frozenset(str(key) for key in table["patients"]))
