"""A Spark session for the command and the job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scoring.spark.stopped import Stopped

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def start(master: str | None = None) -> SparkSession:
    """The session that is there, as under ``spark-submit``; else a new one.

    Where nothing says which Python the executors run, it is this one: right for ``local[N]``, and for a cluster
    whose machines share the environment.

    Args:
        master: ``local[4]``, ``yarn``, ``k8s://...``; where None, Spark's own settings say it.

    Raises:
        Stopped: Spark does not start.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("tregcast score")
    if master is not None:
        builder = builder.master(master)
    try:
        return builder.getOrCreate()
    except PySparkException as error:
        words = f"Spark does not start ({error.getCondition() or type(error).__name__})"
        raise Stopped(f"{words}; it needs Java 17, and a --master that it knows") from error
