"""A real Spark on this machine."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

REQUIRED = "TREGCAST_REQUIRE_JAVA"  # set in CI: there a missing Java is a failure
# On the loopback address; and compiled quickly, not thoroughly, which is half the processor time of a short life.
ENVIRONMENT = {"SPARK_LOCAL_IP": "127.0.0.1", "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


@pytest.fixture(scope="module")
def java() -> None:
    """Spark runs on Java 17."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        if os.environ.get(REQUIRED):
            pytest.fail(f"Java is not installed, and {REQUIRED} is set")
        pytest.skip("Java is not installed (apt-get install openjdk-17-jre-headless)")


@pytest.fixture(scope="module")
def session(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Two cores, files cut into many small blocks, on the loopback address."""
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        for name, value in {"PYSPARK_PYTHON": sys.executable, **ENVIRONMENT}.items():
            patch.setenv(name, value)
        builder = SparkSession.builder.master("local[2]").appName("tests")
        for name, value in settings(folder).items():
            builder = builder.config(name, value)
        made = builder.getOrCreate()
        yield made
        made.stop()


def settings(folder: Path) -> dict[str, str]:
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.files.maxPartitionBytes": "30000",
        "spark.sql.files.openCostInBytes": "0",
    }
