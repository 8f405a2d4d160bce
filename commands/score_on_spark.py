"""``tregcast score --engine spark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commands.options import Fault, tell

if TYPE_CHECKING:
    from scoring.settings import ScoreSettings
    from scoring.summary import Summary


def scored_on_spark(
    source: str,
    out: str,
    pack: Path,
    mapping: Path | None,
    settings: ScoreSettings,
    *,
    overwrite: bool,
    master: str | None,
) -> Summary:
    """Run the job from this process; it is the one of `scoring.spark.job`.

    Raises:
        Fault: there is no result; the text says why and what to do.
    """
    from importlib.util import find_spec

    from features.mapping import MappingError

    if find_spec("pyspark") is None:
        raise Fault("--engine spark needs pyspark; pip install 'tregcast[spark]', and Java 17")
    from scoring.spark.job import submit
    from scoring.spark.stopped import Stopped

    tell("starting Spark")
    try:
        return submit(
            source, out, pack=pack, mapping=mapping, settings=settings, overwrite=overwrite, master=master
        )
    except (Stopped, MappingError) as error:
        raise Fault(str(error)) from error
