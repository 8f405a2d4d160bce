"""A Spark session for the command and the job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def start(master: str | None = None) -> SparkSession:
    """The session that is there, as under ``spark-submit``; else a new one.

    Where nothing says which Python the executors run, it is this one: right for ``local[N]``, and for a cluster
    whose machines share the environment.

    Args:
        master: ``local[4]``, ``yarn``, ``k8s://...``; where None, Spark's own settings say it.
    """
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("tregcast score")
    if master is not None:
        builder = builder.master(master)
    return builder.getOrCreate()
