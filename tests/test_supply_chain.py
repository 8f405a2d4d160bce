"""What is installed: no lock below the floor of a published advisory, and a bill of materials that is the lock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "deploy/requirements.lock", "deploy/batch-requirements.lock")
FLOORS = tomllib.loads((ROOT / "deploy/advisory-floors.toml").read_text("utf-8"))["floor"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def locked(file: str) -> set[tuple[str, Version]]:
    """Package and version of each line of a lock; a package may stand twice, for other versions of Python."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line) for line in lines)
    return {(canonicalize_name(match[1]), Version(match[2])) for match in found if match}


def named_by_the_project() -> dict[str, Requirement]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    texts = [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]
    return {canonicalize_name(made.name): made for made in map(Requirement, texts)}


@pytest.mark.parametrize("file", LOCKS)
def test_no_lock_is_below_an_advisory_floor(file: str) -> None:
    floors = {floor["package"]: Version(floor["version"]) for floor in FLOORS}
    assert [f"{name} {version}" for name, version in locked(file) if version < floors.get(name, version)] == []


def test_each_floor_is_of_a_package_that_is_locked_and_names_its_advisories() -> None:
    packages = {name for file in LOCKS for name, _ in locked(file)}
    assert [floor["package"] for floor in FLOORS] == sorted({floor["package"] for floor in FLOORS} & packages)
    identifier = re.compile(r"(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3}|PYSEC-\d{4}-\d+)")
    assert all(floor["advisories"] and all(map(identifier.fullmatch, floor["advisories"])) for floor in FLOORS)


def test_what_the_project_asks_for_is_not_below_a_floor() -> None:
    """Who installs without the lock gets no version below a floor either."""
    named = named_by_the_project()
    below = [
        f"{floor['package']}>={floor['version']}"
        for floor in FLOORS
        if floor["package"] in named and named[floor["package"]].specifier.contains(_just_below(floor["version"]))
    ]
    assert below == []


def _just_below(version: str) -> str:
    *parts, last = Version(version).release
    return ".".join(map(str, (*parts, last - 1))) if last else f"{version}rc1"


@pytest.mark.parametrize("file", LOCKS)
def test_the_bill_of_materials_is_the_lock(file: str, tmp_path: Path) -> None:
    """By the command of `make sbom`, which holds what it writes to the schema of CycloneDX."""
    made = tmp_path / "sbom.json"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "cyclonedx_py",
        "requirements",
        file,
        "--pyproject",
        "pyproject.toml",
    ]
    options = ["--output-reproducible", "--validate", "--of", "JSON", "-o", str(made)]
    subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)
    document = json.loads(made.read_bytes())
    components = {(canonicalize_name(item["name"]), Version(item["version"])) for item in document["components"]}
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "tregcast")
    assert components == locked(file)
    assert all(item["externalReferences"][0]["hashes"] for item in document["components"])
