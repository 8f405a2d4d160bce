"""What is shipped: a Bento with a pinned pack, and an install with what serving needs and no more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.version import VERSION
from tests.servers import answers, await_ready, free_port, running

ROOT = Path(__file__).parents[2]
UV, BENTOML = (Path(sys.executable).with_name(name) for name in ("uv", "bentoml"))
TRAINING_ONLY = {
    *("catboost", "lightgbm", "matplotlib", "mlflow", "mlflow-skinny", "nvidia-nccl-cu12", "optuna", "pandas"),
    *("polars", "pyarrow", "scikit-learn", "scipy", "shap", "sqlalchemy", "xgboost", "xgboost-cpu"),
}
LIMIT_MIB = 200  # of the whole install; docs/packaging.md has what it is
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment made as deploy/Containerfile makes it."""
    folder = tmp_path_factory.mktemp("serving") / "env"
    done(UV, "venv", "--quiet", "--python", sys.executable, folder)
    locked = ("--require-hashes", "-r", ROOT / "deploy" / "requirements.lock")
    done(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *locked)
    return folder / "bin"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, pack_folder: Path) -> Path:
    """A copy of the project with a pinned pack."""
    folder = tmp_path_factory.mktemp("source")
    for room in ("commands", "deploy", "features", "model", "service", "training"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "cli.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    done(sys.executable, "-m", "cli", "pin", pack_folder, cwd=folder)
    return folder


def test_the_serving_lock_is_a_part_of_the_whole_one() -> None:
    def pinned(path: Path) -> set[str]:
        return {line.split(" ;")[0].rstrip(" \\") for line in path.read_text("utf-8").splitlines() if "==" in line}

    serving = pinned(ROOT / "deploy" / "requirements.lock")
    assert serving <= pinned(ROOT / "requirements.lock")
    assert not {line.split("==")[0] for line in serving} & TRAINING_ONLY


def test_the_serving_install_is_small(serving: Path) -> None:
    site = next((serving.parent / "lib").glob("python*/site-packages"))
    size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"serving install: {size / 2**20:.0f} MiB")
    assert size < LIMIT_MIB * 2**20


def test_a_bento_holds_its_pack_and_starts_without_mlflow(
    serving: Path, source: Path, tmp_path: Path, pack: Any, record: dict[str, Any]
) -> None:
    environment = {**bare(tmp_path), "BENTOML_HOME": str(tmp_path / "bentoml")}
    built = done(BENTOML, "build", "-o", "tag", cwd=source, env=environment)
    tag = built.strip().rpartition("__tag__:")[2]
    shutil.rmtree(source / "pinned")  # the Bento has its own
    with served([serving / "bentoml", "serve", tag], tmp_path, environment, tmp_path / "log") as client:
        answer = client.post("/v1/predict", json=record)
        assert answer.status_code == 200
        assert answer.json()["pack"]["id"] == pack.id
        assert answer.json()["outcome"].startswith("prediction")
        assert client.get("/v1/model").json()["pack"]["id"] == pack.id


def test_the_containers_command_runs_for_a_user_who_may_write_nowhere(
    serving: Path, source: Path, tmp_path: Path, pack: Any, pack_folder: Path, record: dict[str, Any]
) -> None:
    done(UV, "pip", "install", "--quiet", "--python", serving / "python", "--no-deps", source)
    assert VERSION in done(serving / "tregcast", "--version")
    image = tmp_path / "pack"
    shutil.copytree(pack_folder, image)
    for path in (image, *image.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [serving / "tregcast", "serve", "--pack", image]
    nobody = {**bare(tmp_path), "HOME": "/nonexistent", "TMPDIR": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    before = written(serving.parent)
    with served(command, Path("/"), nobody, tmp_path / "log") as client:
        assert client.post("/v1/predict", json=record).json()["pack"]["id"] == pack.id
    assert written(serving.parent) == before


def done(*command: object, **how: Any) -> str:
    """What a program writes, that ends well."""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **how)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def bare(folder: Path) -> dict[str, str]:
    """An environment without anything of this one."""
    return {"PATH": os.defpath, "HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True", "LANG": "C.UTF-8"}


def written(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@contextmanager
def served(command: list[object], folder: Path, environment: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    """A server on a free port for the time of a block, once it is ready."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running([*command, "--port", port], log, signal.SIGTERM, cwd=folder, env=environment) as process:
        await_ready(lambda: answers(f"{url}/readyz"), process, log)
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client
