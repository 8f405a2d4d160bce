"""``tregcast report``."""

from __future__ import annotations

from pathlib import Path

import click

from commands.options import (
    FILE,
    FOLDER,
    NEW_FILE,
    Fault,
    mapping_option,
    name_option,
    require_folder,
    tell,
    tracking_uri_option,
    worth_workers_option,
    writing,
)

INCOMPLETE = 3  # exit code


@click.command("report")
@click.argument("cohort_file", metavar="COHORT", type=FILE, required=False)
@mapping_option
@name_option
@click.option(
    "--version", "reference", help="models:/NAME@ALIAS or /VERSION; default: the alias challenger of --name."
)
@click.option("--out", type=FOLDER, default=Path("report"), show_default=True, help="Folder for the two files.")
@click.option(
    "--worth/--no-worth",
    "with_worth",
    default=True,
    help="Say what each marker is worth; without, the report says that it does not. It takes most of the time.",
)
@worth_workers_option
@click.option("--statements", type=FILE, help="TOML file with what only people can say.")
@click.option("--write-statements", "template", type=NEW_FILE, help="Write an empty file of statements, and stop.")
@click.option("--require-complete", is_flag=True, help="Exit with 3 if an item of the checklist is empty.")
@tracking_uri_option
def report(
    cohort_file: Path | None,
    mapping: Path | None,
    name: str,
    reference: str | None,
    out: Path,
    with_worth: bool,
    workers: int,
    statements: Path | None,
    template: Path | None,
    require_complete: bool,
    tracking_uri: str | None,
) -> None:
    """Report on a model version, from COHORT, the file that it was trained on.

    Writes report.html and report.json with the items of TRIPOD+AI, logs both in the version's run, and tags the
    version with the digest of the JSON. The cross-validation is done again: a report whose figures were not those
    of the version's card is not written.
    """
    if template is not None:
        _write_template(template)
        return
    if cohort_file is None:
        raise click.UsageError("Missing argument 'COHORT': the file that the version was trained on.")
    from features.mapping import MappingError
    from training.cohort import CohortError
    from training.registry import Refused, StoreError
    from training.report.repeated import NotTheSame
    from training.report.reporting import report as run
    from training.report.statements import StatementsError, read_statements
    from training.report.tripod import NUMBERS
    from training.side_by_side import WorkerLost

    require_folder(out)
    try:
        said = {} if statements is None else read_statements(statements, NUMBERS)
        with writing(out):
            made = run(
                cohort_file,
                mapping,
                out,
                reference=reference or f"models:/{name}@challenger",
                statements=said,
                with_worth=with_worth,
                workers=workers,
                tracking_uri=tracking_uri,
                progress=tell,
            )
    except (CohortError, MappingError, NotTheSame, Refused, StatementsError, StoreError, WorkerLost) as error:
        raise Fault(str(error)) from error
    click.echo(f"{made.files.html}\n{made.files.json}\nLogged with {made.title}, digest {made.digest}")
    if made.empty:
        click.echo(f"\nEmpty items of TRIPOD+AI ({len(made.empty)}); --write-statements FILE asks for them:")
        click.echo("\n".join(f"  {item}" for item in made.empty))
    if made.empty and require_complete:
        raise SystemExit(INCOMPLETE)


def _write_template(path: Path) -> None:
    from training.report.statements import write_template
    from training.report.tripod import ASKED

    with writing(path):
        try:
            write_template(path, ASKED)
        except FileExistsError as error:
            raise Fault(f"{path}: is there already, perhaps with what people said; name another file") from error
    click.echo(f"{path}: {len(ASKED)} questions; give the answers with --statements {path}")
