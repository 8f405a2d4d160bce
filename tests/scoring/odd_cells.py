"""Cells as registries have them: wrong, strange, or merely written in another way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import numpy as np

Cells = dict[str, object]
Spoil = Callable[[Cells, np.random.Generator], None]


def _scaled(cells: Cells, rng: np.random.Generator) -> None:
    there = [name for name, cell in cells.items() if isinstance(cell, float) and np.isfinite(cell)]
    name = str(rng.choice(there))
    cells[name] = float(cells[name]) * float(rng.choice([10, 100, 1000, 0.1, 0.01, -1, 1.3, 2.9, 3.1]))  # type: ignore[arg-type]


def _set(name: str, *choices: object) -> Spoil:
    def spoil(cells: Cells, rng: np.random.Generator) -> None:
        cells[name] = choices[int(rng.integers(len(choices)))]

    return spoil


def _gone(cells: Cells, rng: np.random.Generator) -> None:
    cells[str(rng.choice(list(cells)))] = None


def _swapped(cells: Cells, rng: np.random.Generator) -> None:
    first, second = "treg_count_per_ul", "cd4_count_per_ul"
    cells[first], cells[second] = cells.get(second), cells.get(first)


def _dated(cells: Cells, rng: np.random.Generator) -> None:
    cells["months_since_onset"] = None
    cells["onset_date"] = ["2024-01-31", "2024-01", "2024", 2024, "2024-13"][int(rng.integers(5))]
    cells["birth_date"] = [None, "1961-04-02", date(1961, 4, 2), "1961-04", "1961", 1961.0, "2015-01-01"][
        int(rng.integers(7))
    ]
    if cells["birth_date"] is not None and rng.random() < 0.7:
        cells["age_years"] = None
    cells["visit_date"] = [date(2025, 3, 1), datetime(2025, 4, 2, 9, 30), "2025-05-03", "2025-02-30", "3.5.2025"][
        int(rng.integers(5))
    ]


SPOILS: tuple[Spoil, ...] = (
    _scaled,
    _gone,
    _swapped,
    _dated,
    _set("crp_mg_l", "<0.3", "> 40", "<0.3 mg", "8,2", " 8.2 ", "8_2", "nan", float("inf"), "1e1", True, "", " "),
    _set("crp_mg_l_comparator", "<", ">", "=", " ", "less"),
    _set("il6_pg_ml_comparator", "<", ">", "~"),
    _set("treg_responder_ratio", "1:1", "1:2", "1:3", "unknown", " "),
    _set("treg_gate", "cd25_cd127low", "foxp3", "unknown", "CD25", " ", 1.0),
    _set("treg_denominator", "cd4", "lymphocytes", "leukocytes", "unknown", "t_cells", None),
    _set("alsfrs_r_total", 0.0, 3.0, 48.0, 49.0, 40.5, "40", "forty"),
    _set("alsfrs_speech", 0.0, 4.0, 5.0, 1.5),
    _set("alsfrs_ventilation", 0.0, 4.0),
    _set("alsfrs_r_total_comparator", "<", " "),
    _set("age_years_comparator", "<", " "),
    _set("sex", "male", "female", "f", "", 1.0),
    _set("onset_site", "bulbar", "spinal", "limb", None),
    _set("c9orf72", "normal", "expanded", "unknown"),
    _set("riluzole", "yes", "no", "maybe", None),
    _set("age_years", 17.0, 61.0000005, 45.1234565, 110.0, "<60", None, 111.0, 45.0, 46.0),
    _set("diagnostic_delay_months", 3.0, 500.0, -1.0, 601.0),
    _set("months_since_onset", 0.0, 12.0, 600.0, 601.0, "12", "<12", None),
    _set("visit_date", "2025-05-03", date(2030, 1, 1)),
    _set("lymphocytes_10e9_l", 0.0, 0.01),
    _set("fvc_pct", "103.5%", 103.5),
)


def spoil(cells: Cells, rng: np.random.Generator) -> Cells:
    """The cells of a row with one or two things wrong or strange."""
    spoilt = dict(cells)
    for _ in range(int(rng.integers(1, 3))):
        SPOILS[int(rng.integers(len(SPOILS)))](spoilt, rng)
    return spoilt
