"""One training run: read, fit, evaluate, log to MLflow, register."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.boosting import BoosterSettings
from model.fitted import overall
from model.pack import load_pack, write_pack
from training.cohort import Cohort, IndexVisits, read_cohort
from training.evaluation import MODEL
from training.fit import Fitted, fit, require_enough
from training.progress import Progress, silent
from training.promotion.champion import first_champion
from training.promotion.kept_forecasts import kept_forecasts, log_forecasts
from training.registry import PACK_TAG, RegistryError, Version, make_challenger
from training.run_record import Beginning, cohort_tags, log_record
from training.settings import DEFAULTS
from training.signature import input_example, signature_for
from training.tracking import open_store, using_store

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

DEFAULT_NAME = "als-progression"
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a run made and where it is."""

    cohort: Cohort
    fitted: Fitted
    version: Version
    run_id: str
    tracking_uri: str
    pack_id: str


def train(
    cohort_path: Path | str,
    mapping_path: Path | str | None = None,
    *,
    name: str = DEFAULT_NAME,
    seed: int = 0,
    index_visits: IndexVisits = "every",
    settings: BoosterSettings = DEFAULTS,
    tracking_uri: str | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> TrainingRun:
    """Train on a cohort file, log the run, and register the model as challenger (and champion if there is none).

    Raises:
        CohortError, MappingError: the cohort or its mapping cannot be used. Nothing is logged then.
        RegistryError: the name cannot be one of the registry.
        StoreError: the tracking store cannot be opened, or fails while the run is logged.
    """
    begun = Beginning.now()
    if not NAME.fullmatch(name):
        raise RegistryError(f"name = {name!r} is not of letters, digits, dot, dash and underscore; choose another")
    cohort = read_cohort(cohort_path, mapping_path, index_visits=index_visits, strict=strict, progress=progress)
    require_enough(cohort)
    uri = open_store(tracking_uri)  # before the work, so that a store that cannot be had costs nothing
    report = cohort.report
    progress(f"{report.rows} rows, {report.patients} patients, {report.patients_with_outcome} with an outcome")
    fitted = fit(cohort, name=name, seed=seed, settings=settings, progress=progress)
    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pack"
        pack_id = write_pack(folder, fitted.contents)
        load_pack(folder, expected_id=pack_id)  # what cannot be loaded is not registered
        with using_store(uri):
            title, within = f"{name} on {cohort.name}", mlflow.active_run() is not None  # a notebook's own run
            with mlflow.start_run(run_name=title, tags=cohort_tags(cohort), nested=within) as run:
                mlflow.log_params(_params(fitted, seed, index_visits))
                mlflow.log_metrics(_metrics(fitted))
                _log_documents(cohort, fitted)
                info = _log_model(folder, fitted, name)
                mlflow.set_tag(PACK_TAG, pack_id)
                registered = str(info.registered_model_version)
                mlflow.MlflowClient().set_model_version_tag(name, registered, PACK_TAG, pack_id)
                log_forecasts(kept_forecasts(cohort, fitted.evaluation), name, registered)
                run_id = str(run.info.run_id)
                log_record(run_id, "training", cohort, begun)
            make_challenger(name, registered)
            version = first_champion(name, registered)
    progress(f"registered as {name} version {version.version} ({', '.join(version.aliases)})")
    return TrainingRun(cohort, fitted, version, run_id, uri, pack_id)


def _params(fitted: Fitted, seed: int, index_visits: IndexVisits) -> dict[str, object]:
    settings = {k: v for k, v in fitted.regressor.get_params().items() if k not in {"monotone", "random_state"}}
    return {
        **settings,
        "seed": seed,
        "index_visits": index_visits,
        "scale": fitted.contents.matrix.scale,
        "features": len(fitted.contents.matrix.columns),
        "examples": len(fitted.examples.y),
        "scale_is_constant": fitted.regressor.scale_is_constant_,
    }


def _metrics(fitted: Fitted) -> dict[str, float]:
    """Cross-validated metrics; NaN (a mean correlates with nothing) is left out."""
    found: dict[str, float] = {}
    for model, values in fitted.evaluation.overall.items():
        prefix = "cv" if model == MODEL else f"baseline_{model.replace(' ', '_').replace('-', '_').lower()}"
        found.update({f"{prefix}_{key}": value for key, value in values.items()})
    for band, values in fitted.evaluation.bands.items():
        found.update({f"cv_{band}_{key}": value for key, value in values.items()})
    return {key: value for key, value in found.items() if value == value}  # noqa: PLR0124


def _log_documents(cohort: Cohort, fitted: Fitted) -> None:
    import mlflow

    from training.plots import plots

    title = f"{cohort.name}{' (SIMULATED)' if cohort.simulated else ''}"
    mlflow.log_dict(json.loads(json.dumps(asdict(cohort.report))), "cohort_report.json")
    mlflow.log_dict(dict(fitted.contents.card), "card.json")
    contents = fitted.contents
    made = plots(fitted.evaluation, contents.matrix, overall(contents.importance), title)
    for file, figure in made.items():
        mlflow.log_figure(figure, f"plots/{file}")


def _log_model(folder: Path, fitted: Fitted, name: str) -> ModelInfo:
    import mlflow

    matrix = fitted.contents.matrix
    info: ModelInfo = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"pack": str(folder)},
        signature=signature_for(matrix),
        input_example=input_example(fitted.contents),
        pip_requirements=[f"tregcast[train]=={fitted.contents.versions['tregcast']}"],
        registered_model_name=name,
    )
    return info
