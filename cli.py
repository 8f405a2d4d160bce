"""The command ``tregcast``: the one place where the rooms are put together.

Each command imports what it needs when it runs, so that ``--help`` is quick and serving loads nothing of training.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    import pandas as pd

    from training.train import TrainingRun

DEFAULT_MODEL = "models:/als-progression@champion"
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Fault(click.ClickException):
    """Something the user can mend: told in one line, exit code 2."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tregcast")
def main() -> None:
    """Predict how fast a person with ALS will progress, how sure that is, and why."""


@main.group()
def cohort() -> None:
    """Make and inspect cohorts: long tables, one row a visit."""


def _drawn(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that draws simulated patients."""
    for option in (
        click.option("--out", type=NEW_FILE, required=True, help="A .parquet or .csv file."),
        click.option(
            "--treg-effect/--no-treg-effect",
            default=True,
            help="Without: as the contrary evidence has it (Cui 2022), Tregs say nothing of the rate.",
        ),
        click.option("--seed", type=click.IntRange(0), default=7, show_default=True),
        click.option("--patients", type=click.IntRange(1, 1_000_000), default=1000, show_default=True),
    ):
        command = option(command)
    return command


@cohort.command()
@_drawn
def simulate(patients: int, seed: int, treg_effect: bool, out: Path) -> None:
    """Draw the SIMULATED reference cohort: no patient in it has ever lived."""
    from training.reference_cohort import provenance
    from training.reference_cohort import simulate as draw

    frame = draw(patients, seed, treg_effect=treg_effect)
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    click.echo(f"{out}: {len(frame)} visits of {patients} simulated patients")


@cohort.command()
@_drawn
def oracle(patients: int, seed: int, treg_effect: bool, out: Path) -> None:
    """Write the best answer there can be for each patient of a simulated cohort.

    Draws the cohort of the same options again and writes, a row a patient, the exact distribution of the true rate
    given all that was measured at enrolment and before, and the true rate itself. See docs/oracle.md.
    """
    from training.oracle import oracle_table
    from training.reference_cohort import draw, provenance

    frame = oracle_table(draw(patients, seed, treg_effect=treg_effect))
    frame["provenance"] = provenance(patients, seed, treg_effect=treg_effect)
    _write(frame, out)
    click.echo(f"{out}: the oracle's answers for {patients} simulated patients")


@main.command()
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@click.option("--mapping", type=FILE, help="TOML file that adapts other headers, units and codes.")
@click.option("--name", default="als-progression", show_default=True, help="Name in the model registry.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--index-visits",
    type=click.Choice(["every", "first"]),
    default="every",
    show_default=True,
    help="Train on every visit that has an outcome, or on each patient's first such visit.",
)
@click.option("--tracking-uri", help="MLflow store; default MLFLOW_TRACKING_URI, else mlruns/mlflow.db here.")
def train(
    cohort_file: Path,
    mapping: Path | None,
    name: str,
    seed: int,
    index_visits: Literal["every", "first"],
    tracking_uri: str | None,
) -> None:
    """Train on COHORT, log the run in MLflow, and register the model.

    COHORT is a CSV or Parquet file, one row a visit. The model becomes the challenger; the champion too if there is
    none yet.
    """
    from training.cohort import CohortError
    from training.mapping import MappingError
    from training.tracking import StoreError
    from training.train import train as run

    try:
        made = run(
            cohort_file,
            mapping,
            name=name,
            seed=seed,
            index_visits=index_visits,
            tracking_uri=tracking_uri,
            progress=lambda text: click.echo(f"  {text}", err=True),
        )
    except (CohortError, MappingError, StoreError) as error:
        raise Fault(str(error)) from error
    click.echo(_summary(made))


@main.command("evaluate")
@click.argument("cohort_file", metavar="COHORT", type=FILE)
@click.option("--mapping", type=FILE, help="TOML file that adapts other headers, units and codes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--only",
    metavar="WORD",
    multiple=True,
    help="Only markers with this word in their name, as treg, each alone and together; may be given again.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for worth.json and worth.png."
)
def evaluate_markers(
    cohort_file: Path, mapping: Path | None, seed: int, only: tuple[str, ...], out: Path | None
) -> None:
    """Say what each marker is worth in COHORT: cross-validated, with and without it, on the same patients."""
    from training.cohort import CohortError, read_cohort
    from training.examples import examples_of
    from training.mapping import MappingError
    from training.worth import markers_like, worth
    from training.worth_report import as_text, write

    try:
        markers = markers_like(only) if only else None
    except ValueError as error:
        raise Fault(f"--only: {error}") from error
    try:
        cohort = read_cohort(cohort_file, mapping)
        found = worth(
            examples_of(cohort),
            only=markers,
            seed=seed,
            progress=lambda text: click.echo(f"  {text}", err=True),
        )
    except (CohortError, MappingError) as error:
        raise Fault(str(error)) from error
    click.echo(as_text(found, cohort.name, simulated=cohort.simulated))
    if out is not None:
        write(found, cohort.name, out, simulated=cohort.simulated)
        click.echo(f"\nWritten: {out / 'worth.json'}, {out / 'worth.png'}")


@main.command()
@click.argument("reference", default=DEFAULT_MODEL)
@click.option("--tracking-uri", help="MLflow store; default MLFLOW_TRACKING_URI, else mlruns/mlflow.db here.")
def pull(reference: str, tracking_uri: str | None) -> None:
    """Fetch and verify the pack of REFERENCE (models:/NAME@ALIAS or /VERSION) into mlruns/packs."""
    folder, pack_id = _pull(reference, tracking_uri)
    click.echo(f"{folder}\n{reference} verified, pack {pack_id}")


@main.command()
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@click.option("--pack-id", help="The id that the pack must have.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True)
@click.option("--tracking-uri", help="MLflow store; default MLFLOW_TRACKING_URI, else mlruns/mlflow.db here.")
def serve(pack: str, pack_id: str | None, host: str, port: int, tracking_uri: str | None) -> None:
    """Answer over HTTP from a verified pack."""
    if pack.startswith("models:/"):  # a fresh process, so that nothing of MLflow stays in the server
        folder, pack_id = _pull(pack, tracking_uri)
        arguments = ["serve", "--pack", str(folder), "--pack-id", pack_id, "--host", host, "--port", str(port)]
        os.execv(sys.executable, [sys.executable, "-m", "cli", *arguments])
    from service.server import serve as run

    run(Path(pack), host, port, pack_id=pack_id)


@main.command()
@click.argument("record_file", metavar="RECORD", type=click.File("rb"))
@click.option("--pack", default=DEFAULT_MODEL, show_default=True, help="A pack folder, or models:/NAME@ALIAS.")
@click.option("--url", help="Ask a running service instead, e.g. http://127.0.0.1:3000.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.option("--tracking-uri", help="MLflow store; default MLFLOW_TRACKING_URI, else mlruns/mlflow.db here.")
def predict(record_file: IO[bytes], pack: str, url: str | None, as_json: bool, tracking_uri: str | None) -> None:
    """Answer one RECORD (a JSON file, or - for standard input) so that a person can read it."""
    from service.text import as_text

    body = record_file.read()
    answer = _asked(url, body) if url else _answered(_folder(pack, tracking_uri), body)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else as_text(answer))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known of each quantity.")
def vocabulary(as_json: bool) -> None:
    """List the quantities: name in a record, column in a table, unit, what it is."""
    from dataclasses import asdict

    from features.vocabulary import vocabulary as words

    if as_json:
        click.echo(json.dumps(asdict(words()), indent=2, ensure_ascii=False))
        return
    for quantity in words().quantities.values():
        click.echo(f"{quantity.name:22} {quantity.column:26} {quantity.unit:9} {quantity.label}")
    for category in words().categories.values():
        click.echo(f"{category.name:22} {category.name:26} {'':9} {category.label}: {', '.join(category.values)}")


def _write(frame: pd.DataFrame, out: Path) -> None:
    from training.table_file import write_table

    try:
        write_table(frame, out)
    except (OSError, ValueError) as error:
        raise Fault(str(error)) from error


def _folder(pack: str, tracking_uri: str | None) -> Path:
    if pack.startswith("models:/"):
        return _pull(pack, tracking_uri)[0]
    return Path(pack)


def _pull(reference: str, tracking_uri: str | None) -> tuple[Path, str]:
    from training.registry import Refused, StoreError
    from training.registry import pull as fetch

    try:
        folder, pack = fetch(reference, tracking_uri)
    except (StoreError, Refused) as error:
        raise Fault(str(error)) from error
    return folder, pack.id


def _answered(folder: Path, body: bytes) -> dict[str, object]:
    from datetime import UTC, datetime

    from features.parse import parse_record
    from features.problem import Rejected
    from features.strict_json import loads
    from features.today import latest_date
    from model.answer import render
    from model.pack import Refused, load_pack

    try:
        record = parse_record(loads(body), today=latest_date(datetime.now(UTC)))
        return render(load_pack(folder).predictor.predict(record))
    except Rejected as error:
        raise Fault("\n".join(["the record is rejected:", *(f"  - {p}" for p in error.problems)])) from error
    except Refused as error:
        raise Fault(str(error)) from error


def _asked(url: str, body: bytes) -> dict[str, object]:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise Fault(f"{url}: not an http or https address")
    request = Request(f"{url.rstrip('/')}/v1/predict", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as reply:
            found: dict[str, object] = json.load(reply)
            return found
    except HTTPError as error:
        raise Fault("\n".join([f"the service answered {error.code}:", *_problems(error.read())])) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Fault(f"{url}: no answer of a Tregcast service: {error}") from error


def _problems(body: bytes) -> list[str]:
    """What a problem document says; any other body is shown as it is."""
    try:
        document = json.loads(body)
        return [document["detail"], *(f"  - {problem['message']}" for problem in document["problems"])]
    except (ValueError, KeyError, TypeError):
        return [body[:500].decode("utf-8", "replace")]


def _summary(made: TrainingRun) -> str:
    from training.summary import summary

    return summary(made)


if __name__ == "__main__":
    main()
