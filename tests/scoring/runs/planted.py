"""Faults planted into rows of a table: what is changed, and the code and the column that the reject must name."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """Cells that are put into a row, and fields more or fewer than the header has."""

    code: str
    column: str  # as the problem names it; empty: the row
    cells: dict[str, str] = field(default_factory=dict)
    fields: int = 0


DATED = {"months_since_onset": "", "onset_date": "2020-01-01"}
TREGS = {"cd4_count_per_ul": "800", "treg_pct_cd4": "5", "treg_denominator": "cd4", "treg_gate": "foxp3"}
FAULTS = (
    Fault("wrong_type", "crp_mg_l", {"crp_mg_l": "trace"}),
    Fault("wrong_type", "crp_mg_l", {"crp_mg_l": "8,2"}),
    Fault("wrong_type", "nfl_pg_ml", {"nfl_pg_ml": "1_000"}),
    Fault("out_of_range", "crp_mg_l", {"crp_mg_l": "9000"}),
    Fault("out_of_range", "crp_mg_l", {"crp_mg_l": "-1"}),
    Fault("out_of_range", "alsfrs_r_total", {"alsfrs_r_total": "49"}),
    Fault("out_of_range", "age_years", {"age_years": "200"}),
    Fault("not_finite", "nfl_pg_ml", {"nfl_pg_ml": "inf"}),
    Fault("not_whole", "alsfrs_speech", {"alsfrs_speech": "2.5"}),
    Fault("visit_time", "", {"months_since_onset": ""}),
    Fault("visit_time", "", {**DATED, "months_since_onset": "12", "visit_date": "2021-01-01"}),
    Fault("bad_date", "visit_date", {**DATED, "visit_date": "1.9.2021"}),
    Fault("future_visit", "visit_date", {**DATED, "visit_date": "2026-01-02"}),
    Fault("before_onset", "visit_date", {**DATED, "visit_date": "2019-12-31"}),
    Fault("unknown_value", "sex", {"sex": "mann"}),
    Fault("unknown_value", "riluzole", {"riluzole": "perhaps"}),
    Fault("unknown_value", "crp_mg_l_comparator", {"crp_mg_l": "3", "crp_mg_l_comparator": "="}),
    Fault("missing_key", "treg_gate", {**TREGS, "treg_gate": ""}),
    Fault("missing_key", "treg_denominator", {**TREGS, "treg_denominator": ""}),
    Fault("unknown_value", "treg_gate", {**TREGS, "treg_gate": "CD25hi"}),
    Fault("contradiction", "treg_count_per_ul", {**TREGS, "treg_count_per_ul": "400"}),
    Fault("ragged_row", "", fields=1),
    Fault("ragged_row", "", fields=-1),
)
