"""``tregcast score --engine spark``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.options import Fault, name_headers, tell

if TYPE_CHECKING:
    from scoring.spark.job import SparkJob
    from scoring.summary import Summary


def scored_on_spark(job: SparkJob) -> Summary:
    """Run the job from this process.

    Raises:
        Fault: there is no result; the text says why and what to do.
    """
    from importlib.util import find_spec

    from features.mapping import MappingError
    from scoring.spark.stopped import Stopped

    if find_spec("pyspark") is None:
        raise Fault("--engine spark needs pyspark; pip install 'tregcast[spark]', and Java 17")
    tell("starting Spark")
    try:
        return job.submit(name_headers)
    except (Stopped, MappingError) as error:
        raise Fault(str(error)) from error
