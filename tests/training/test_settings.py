"""Settings from a file or a registered model: read as written, refused with every problem at once."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli import main
from features.matrix import DesignMatrix
from model.boosting import BoosterSettings
from training.fit import regressor_for
from training.settings import DEFAULTS, LIMITS, SettingsError, as_json, read_settings, settings_from, settings_of

if TYPE_CHECKING:
    from tests.conftest import Trained

OTHER = BoosterSettings(
    n_trees=120,
    max_depth=2,
    learning_rate=0.05,
    subsample=0.7,
    colsample=0.5,
    min_child_weight=5.0,
    min_child_share=0.06,
    reg_lambda=3.0,
)


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "settings.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_each_setting_of_the_trees_has_limits_that_hold_its_default() -> None:
    assert list(LIMITS) == [field.name for field in fields(BoosterSettings)]
    assert settings_from(asdict(DEFAULTS), "defaults") == DEFAULTS


@given(
    st.builds(
        BoosterSettings,
        n_trees=st.integers(1, 10_000),
        max_depth=st.integers(1, 8),
        learning_rate=st.floats(0, 1, exclude_min=True),
        subsample=st.floats(0, 1, exclude_min=True),
        colsample=st.floats(0, 1, exclude_min=True),
        min_child_weight=st.floats(0, 1e6),
        min_child_share=st.floats(0, 0.5),
        reg_lambda=st.floats(0, 1e6),
    )
)
def test_what_is_written_is_read_to_the_last_bit(settings: BoosterSettings) -> None:
    assert settings_from(json.loads(as_json(settings)), "here") == settings


def test_what_a_file_does_not_name_has_its_default(tmp_path: Path) -> None:
    found = read_settings(written(tmp_path, '{"max_depth": 2, "reg_lambda": 1}'))
    assert found == replace(DEFAULTS, max_depth=2, reg_lambda=1.0)
    assert isinstance(found.reg_lambda, float)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        json.dumps(
            {
                "n_treez": 3,
                "n_trees": 12.5,
                "max_depth": 9,
                "learning_rate": 0,
                "subsample": "0.5",
                "colsample": True,
                "min_child_share": 0.51,
                "reg_lambda": -1,
            }
        ),
    )
    with pytest.raises(SettingsError) as refused:
        read_settings(file)
    first, *problems = str(refused.value).splitlines()
    assert first == f"{file} cannot be used:"
    assert [problem.split()[1] for problem in problems] == [
        "n_treez",
        "n_trees",
        "max_depth",
        "learning_rate",
        "subsample",
        "colsample",
        "min_child_share",
        "reg_lambda",
    ]
    assert "learning_rate = 0 is out of range; give a number above 0 to 1" in problems[3]
    assert "n_trees = 12.5 is not a whole number; give a whole number from 1 to 10000" in problems[1]
    assert "known are n_trees, max_depth" in problems[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"max_depth": 2, "max_depth": 3}', "max_depth"),
        ('{"reg_lambda": NaN}', "NaN"),
        ('{"reg_lambda": 1e999}', "out of range"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_settings(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_settings(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.json: cannot be read: No such file"):
        read_settings(tmp_path / "none.json")


def test_the_regressor_has_them_and_without_any_the_defaults() -> None:
    matrix = DesignMatrix(("alsfrs_r_total", "nfl_pg_ml"), "alsfrs_r_total")
    assert settings_in(regressor_for(matrix, 0, OTHER).get_params()) == OTHER
    assert settings_in(regressor_for(matrix, 0).get_params()) == DEFAULTS


def settings_in(params: dict[str, float]) -> BoosterSettings:
    return BoosterSettings(**{name: params[name] for name in LIMITS})  # type: ignore[arg-type]


def test_the_command_says_what_is_wrong_before_it_reads_the_cohort(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("nothing\n", "utf-8")
    file = written(tmp_path, '{"n_trees": 0, "depth": 3}')
    result = CliRunner().invoke(main, ["train", str(tmp_path / "cohort.csv"), "--settings", str(file)])
    assert result.exit_code == 2
    assert "n_trees = 0 is out of range" in result.stderr
    assert "depth is not a setting" in result.stderr


def test_a_trained_model_holds_its_settings_and_lends_them(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained.pack.card["settings"] == asdict(DEFAULTS)
    monkeypatch.chdir(tmp_path)  # where packs are fetched to
    assert settings_of("models:/als-progression@champion", trained.run.tracking_uri) == DEFAULTS
