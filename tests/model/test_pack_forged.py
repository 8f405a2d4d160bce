"""A forged pack, whose digests are right and whose contents are not, is refused with the reason."""

from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from model.contents import Contents
from model.pack import Refused, load_pack, write_pack

if TYPE_CHECKING:
    from tests.conftest import Trained

from tests.model.forging import edit, seal


def contents(trained: Trained) -> Contents:
    return trained.run.fitted.contents


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("form", ["object array in npz", "object array as npy", "plain pickle"])
def test_a_pickle_is_refused_and_never_run(folder: Path, tmp_path: Path, form: str) -> None:
    sprung = tmp_path / "sprung"
    buffer = io.BytesIO()
    if form == "object array in npz":
        with np.load(folder / "tables.npz") as archive:
            arrays = {key: archive[key] for key in archive.files}
        arrays["location0.table"] = np.array([Trap(sprung)], dtype=object)
        np.savez_compressed(buffer, allow_pickle=True, **arrays)
    elif form == "object array as npy":
        np.save(buffer, np.array([Trap(sprung)], dtype=object), allow_pickle=True)
    else:
        pickle.dump(Trap(sprung), buffer)
    (folder / "tables.npz").write_bytes(buffer.getvalue())
    seal(folder)
    with pytest.raises(Refused, match=r"tables\.npz: "):
        load_pack(folder)
    assert not sprung.exists()
    if form == "plain pickle":
        pickle.loads(buffer.getvalue())
        assert sprung.exists()  # the trap works, had anyone stepped into it


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and nothing more", b"\x93NUMPY\x01\x00", b"{}"])
def test_tables_that_are_no_archive(folder: Path, data: bytes) -> None:
    (folder / "tables.npz").write_bytes(data)
    seal(folder)
    with pytest.raises(Refused, match=r"tables\.npz: "):
        load_pack(folder)


def test_an_archive_that_unpacks_without_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = 20 * 2**20
    monkeypatch.setattr("model.fitted_files.LARGEST_TABLES", unpacked)  # a gigabyte takes long to make
    load_pack(folder)
    buffer = io.BytesIO()
    with np.load(folder / "tables.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    arrays["bomb.table"] = np.zeros(unpacked + 1, np.int8)
    np.savez_compressed(buffer, **arrays)
    (folder / "tables.npz").write_bytes(buffer.getvalue())
    assert len(buffer.getvalue()) < 2**20
    seal(folder)
    with pytest.raises(Refused, match=rf"tables\.npz: ValueError\('unpacks to more than {unpacked} bytes'\)"):
        load_pack(folder)


def test_a_table_with_another_shape(folder: Path) -> None:
    buffer = io.BytesIO()
    with np.load(folder / "tables.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    arrays["location0_0.table"] = arrays["location0_0.table"][:-1]
    np.savez_compressed(buffer, **arrays)
    (folder / "tables.npz").write_bytes(buffer.getvalue())
    seal(folder)
    with pytest.raises(Refused, match=r"tables\.npz: .*table has shape"):
        load_pack(folder)


def copula_name(trained: Trained) -> str:
    """What the arrays of the copula begin with; the trained pack has one."""
    first_visit = contents(trained).fitted.situations[0]
    return next(f"location0_{i}" for i, part in enumerate(first_visit.location) if part.kind == "copula")


@pytest.mark.parametrize(
    ("array", "change", "says"),
    [
        (
            "covariance",
            lambda a: np.full_like(a, np.nan),
            r"tables\.npz: .*covariance has a number that is not finite",
        ),
        ("covariance", lambda a: -a, r"tables\.npz: .*not positive definite"),
        ("covariance", lambda a: a[:-1, :-1], r"tables\.npz: .*covariance is not a symmetric matrix"),
        ("input_values", lambda a: a[:, ::-1], r"tables\.npz: .*input_values are not"),
        ("outcome_scores", lambda a: a[::-1], r"tables\.npz: .*outcome_values or outcome_scores"),
        ("positions", lambda a: a + 1000, r"tables\.npz: .*positions"),
        ("n_features", lambda a: a + 1, "columns, but tables of another width"),
        ("with_outcome", lambda a: 0.999 * a, r"golden\.json: golden answers differ: record 0"),
        ("outcome_values", lambda a: 1.001 * a, r"golden\.json: golden answers differ: record 0"),
    ],
)
def test_forged_copula(
    trained: Trained, folder: Path, array: str, change: Callable[[np.ndarray], np.ndarray], says: str
) -> None:
    buffer = io.BytesIO()
    with np.load(folder / "tables.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    key = f"{copula_name(trained)}.{array}"
    arrays[key] = np.asarray(change(arrays[key]))
    np.savez_compressed(buffer, **arrays)
    (folder / "tables.npz").write_bytes(buffer.getvalue())
    seal(folder)
    with pytest.raises(Refused, match=says):
        load_pack(folder)


def shift(*path: str | int, by: float = 1e-9) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] += by

    return change


def put(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(table: Any) -> None:
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value

    return change


def first_parts(table: Any) -> list[Any]:
    found: list[Any] = table["situations"][0]["location"]
    return found


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("calibration.json", put("residuals", 0, 0, value=NAN), "NaN is not a number in JSON"),
        ("calibration.json", put("residuals", 0, 0, value=-INFINITY), "-Infinity is not a number in JSON"),
        ("calibration.json", put("residuals", 0, 0, value=1e6), "residuals are not a list in ascending order"),
        ("calibration.json", put("residuals", 0, value=[]), "residuals are not a list in ascending order"),
        ("calibration.json", put("residuals", 0, value=[[1.0]]), "residuals are not a list in ascending order"),
        ("calibration.json", put("residuals", value="many"), "residuals are not one list a situation"),
        ("calibration.json", lambda _: {"other": []}, "KeyError('residuals')"),
        ("calibration.json", lambda _: [], "list indices"),
        ("applicability.json", put("limit", value=NAN), "NaN is not a number in JSON"),
        ("applicability.json", put("limit", value="high"), "expected a number, found str"),
        ("applicability.json", put("limit", value=True), "expected a number, found bool"),
        ("applicability.json", put("positions", 0, value=-1), "positions or shares"),
        ("applicability.json", put("positions", 0, value=10_000), "positions or shares"),
        ("applicability.json", put("knots", value=[]), "positions and knots do not match"),
        ("applicability.json", put("knots", 0, "values", value=[2.0, 1.0]), "knots do not increase"),
        ("applicability.json", put("covariance", value=[[1.0]]), "the covariance has another size"),
        ("applicability.json", put("covariance", 0, 0, value=-5.0), "not positive definite"),
        ("applicability.json", put("measured", value=[1.0]), "positions or shares"),
        ("model.json", put("columns", 0, value="no_such_column"), "no_such_column"),
        ("model.json", put("columns", value=[]), "0 columns"),
        ("model.json", put("scale", value="other"), "scale 'other'"),
        ("model.json", put("importance", value=[]), "importance is not"),
        ("model.json", put("importance", 0, 0, value=1e308), "importance is not shares of one whole"),
        ("model.json", put("importance", 0, 0, value=-1.0), "importance is not shares of one whole"),
        ("card.json", lambda card: [], "it is not an object"),
        ("model.json", lambda table: table["situations"].pop() and None, "1 situations, but 2 lists of residuals"),
        ("model.json", put("score", "maximum", value=0.0), "that bounds nothing"),
        ("model.json", put("score", "position", value=100_000), "that bounds nothing"),
        ("model.json", put("history", value=[]), "a history that does not fit"),
        ("model.json", put("history", value=[100_000]), "a history that does not fit"),
        ("model.json", put("situations", 0, "location", value=[]), "another width"),
        ("model.json", put("situations", 0, "location", 0, "kind", value="forest"), "but tables.npz has"),
        ("model.json", put("situations", 0, "location", 0, "weight", value=-0.5), "but tables.npz has"),
        ("model.json", lambda table: first_parts(table).extend(first_parts(table) * 2), "KeyError('location0_"),
        ("model.json", put("situations", 0, "error", "constant", value=-1.0), "an error that is not above 0"),
        (
            "model.json",
            put("situations", 0, "error", "constant", value=INFINITY),
            "Infinity is not a number in JSON",
        ),
        ("model.json", put("versions", value=[]), "'list' object has no attribute 'items'"),
        ("model.json", lambda table: table.pop("name") and None, "KeyError('name')"),
        ("card.json", lambda _: 5, "card.json: "),
        ("golden.json", lambda _: [], "golden answers differ: there is none"),
        ("golden.json", lambda _: {"record": 1}, "golden.json: "),
        ("golden.json", put(0, "record", value={"visits": []}), "golden.json: "),
        ("golden.json", put(0, "answer", value=[]), "golden.json: "),
        ("golden.json", shift(0, "answer", "progression_rate"), "record 0: progression_rate"),
        ("golden.json", shift(2, "answer", "contributions", 0, "points_per_month"), "record 2: contrib"),
        ("golden.json", put(1, "answer", "outcome", value="abstained"), "record 1: outcome"),
        ("golden.json", put(1, "record", "sex", value="other"), "golden.json: "),
    ],
)
def test_forged_contents(folder: Path, name: str, change: Callable[[Any], Any], says: str) -> None:
    edit(folder, name, change)
    with pytest.raises(Refused) as refused:
        load_pack(folder)
    text = str(refused.value)
    assert says in text
    assert name in text or "model.json" in text  # widths are compared where the columns are read


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.json", shift("situations", 0, "location", 0, "weight")),
        ("model.json", put("statement", value="Trained on patients.")),
        ("model.json", lambda table: table["columns"].reverse()),
        (
            "calibration.json",
            lambda table: {"residuals": [[1.001 * r for r in each] for each in table["residuals"]]},
        ),
        ("applicability.json", put("limit", value=-100.0)),
    ],
)
def test_a_pack_that_answers_otherwise_is_refused(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Whole and well formed, but not the model that was evaluated: the golden answers tell."""
    edit(folder, name, change)
    with pytest.raises(Refused, match=r"golden\.json: golden answers differ: record 0"):
        load_pack(folder)


def test_a_swapped_model_does_not_pass(trained: Trained, folder: Path) -> None:
    """Another model under the golden answers of this one."""
    made = contents(trained)
    twice = tuple(replace(each, residuals=each.residuals * 2) for each in made.fitted.situations)
    other = replace(made, fitted=replace(made.fitted, situations=twice))
    elsewhere = folder.with_name("other")
    write_pack(elsewhere, other)
    shutil.copy(elsewhere / "calibration.json", folder / "calibration.json")
    seal(folder)
    with pytest.raises(Refused, match="golden answers differ"):
        load_pack(folder)
