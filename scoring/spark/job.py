"""The job for ``spark-submit``: the arguments of ``tregcast score``, as far as they are of use on a cluster."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import click

from features.headers import Headers
from features.mapping import ColumnMapping, MappingError, read_mapping
from scoring.columns import Explain
from scoring.reject_limit import reject_limit
from scoring.settings import ScoreSettings
from scoring.sources.naming import Named, unnamed
from scoring.spark.run import run
from scoring.spark.session import start
from scoring.spark.stopped import Stopped
from scoring.summary import Summary


@dataclass(frozen=True, slots=True)
class SparkJob:
    """What is asked for.

    Attributes:
        source, out: as Spark names files.
        pack, mapping: on the driver's machine.
        settings: what is asked of the scorer.
        overwrite: whether an OUT that is there is replaced.
        master: where Spark runs; None where its own settings say it.
        strict: whether a header that is not read, but is like a column, is a fault of the input.
    """

    source: str
    out: str
    pack: Path
    mapping: Path | None
    settings: ScoreSettings
    overwrite: bool
    master: str | None
    strict: bool = False

    def submit(self, named: Named = unnamed) -> Summary:
        """Run it, in the session that is there or one of its own, and end the session.

        Args:
            named: is told what becomes of each header.

        Raises:
            Stopped, MappingError: there is no result; the text says why and what to do.
        """
        known = ColumnMapping() if self.mapping is None else read_mapping(self.mapping)
        digest = None if self.mapping is None else sha256(self.mapping.read_bytes()).hexdigest()
        session = start(self.master)
        try:
            return run(
                session,
                self.source,
                self.out,
                pack_folder=self.pack,
                mapping=known,
                settings=self.settings,
                mapping_digest=digest,
                overwrite=self.overwrite,
                strict=self.strict,
                named=named,
            )
        finally:
            session.stop()


class NoResult(click.ClickException):
    """Something that can be mended: told in one line, exit code 2."""

    exit_code = 2


@click.command()
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT")
@click.option("--pack", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mapping", "mapping_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--explain", type=click.Choice(["top5", "all", "none"]), default="top5", show_default=True)
@click.option(
    "--coverage", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.9, show_default=True
)
@click.option("--max-rejects", default="0", show_default=True, help="A number of rows, or a share such as 1%.")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day that no visit may be after; default today."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT, once the new one is whole.")
@click.option("--strict", is_flag=True, help="Stop where a header that is not read is like a column.")
@click.option("--master", help="Where Spark runs; under spark-submit its own --master says it.")
def score_job(
    source: str,
    out: str,
    pack: Path,
    mapping_file: Path | None,
    explain: Explain,
    coverage: float,
    max_rejects: str,
    as_of: datetime | None,
    overwrite: bool,
    strict: bool,
    master: str | None,
) -> None:
    """Score IN (Parquet, CSV, NDJSON) into the folder OUT: answers/, rejects/ and summary.json.

    Exit code 0; 3 with more rejects than --max-rejects, OUT in place all the same; 2 without a result.
    """
    today = datetime.now().astimezone().date() if as_of is None else as_of.date()
    try:
        limit = reject_limit(max_rejects)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    settings = ScoreSettings(explain, coverage, today)
    try:
        found = SparkJob(source, out, pack, mapping_file, settings, overwrite, master, strict).submit(_name)
    except (Stopped, MappingError) as error:
        raise NoResult(str(error)) from None
    with suppress(OSError):  # the same stands in OUT's summary.json
        click.echo(found.to_json().decode(), nl=False)
    raise click.exceptions.Exit(limit.exit_code(found.rejected, found.rows))


def _name(headers: Headers) -> None:
    for line in headers.lines():
        click.echo(line, err=True)


if __name__ == "__main__":
    score_job()
