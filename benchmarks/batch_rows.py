"""Many rows for `benchmarks/batch.py`: 40 columns of simulated first visits.

    python benchmarks/batch_rows.py OUT.parquet --rows 1000000 [--patterns 500]

What is missing follows so many patterns, or in each row one of its own. Values are those that the simulated
reference cohort has in a column, drawn column by column; those that must go together (blood count and Tregs, height
and weight) from one visit. So each row is valid; as patients they are not the cohort's, for what goes together
there does not here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))

from training.reference.reference_cohort import simulate

ALWAYS = (
    "months_since_onset", "age_years", "sex", "onset_site", "alsfrs_r_total",
    "treg_denominator", "treg_gate", "treg_responder_ratio",
)  # fmt: skip
TOGETHER = (
    ("neutrophils_10e9_l", "lymphocytes_10e9_l", "monocytes_10e9_l", "leukocytes_10e9_l", "cd4_count_per_ul",
     "cd8_count_per_ul", "treg_pct_cd4", "treg_count_per_ul"),
    ("height_cm", "weight_kg"),
)  # fmt: skip
ALONE = (
    "diagnostic_delay_months", "c9orf72", "riluzole", "alsfrs_speech", "treg_suppression_pct", "foxp3_mrna_ratio",
    "crp_mg_l", "il6_pg_ml", "tnf_alpha_pg_ml", "il1_beta_pg_ml", "il17a_pg_ml", "ifn_gamma_pg_ml", "il10_pg_ml",
    "ccl2_pg_ml", "scd14_ng_ml", "lbp_ug_ml", "ferritin_ug_l", "chit1_ng_ml", "nfl_pg_ml", "pnfh_pg_ml",
    "albumin_g_l", "creatinine_umol_l", "uric_acid_umol_l", "fvc_pct", "svc_pct",
)  # fmt: skip
COLUMNS = (*ALWAYS, *(column for group in TOGETHER for column in group), *ALONE)
MISSING = 0.4  # share of the cells of a column that need not be there
ROW_GROUP = 65_536


def write_rows(path: Path, rows: int, patterns: int | None, *, seed: int = 0) -> None:
    """Write so many rows; without a number of patterns each row has one of its own."""
    rng = np.random.default_rng(seed)
    pool = simulate(3000, seed=11)
    few = None if patterns is None else rng.random((patterns, len(COLUMNS))) < MISSING
    writer = None
    for start in range(0, rows, ROW_GROUP):
        count = min(ROW_GROUP, rows - start)
        if few is None:
            missing = rng.random((count, len(COLUMNS))) < MISSING
        else:
            missing = few[rng.integers(len(few), size=count)]
        table = _table(pool, missing, rng)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=ROW_GROUP)
    assert writer is not None
    writer.close()


def _table(pool: pd.DataFrame, missing: np.ndarray, rng: np.random.Generator) -> pa.Table:
    drawn: dict[str, pa.Array] = {}
    for group in (*((column,) for column in (*ALWAYS, *ALONE)), *TOGETHER):
        whole = pool[list(group)].dropna()
        visits = rng.integers(len(whole), size=len(missing))
        for column in group:
            gone = None if column in ALWAYS else missing[:, COLUMNS.index(column)]
            drawn[column] = pa.array(whole[column].to_numpy()[visits], mask=gone)
    return pa.table({column: drawn[column] for column in COLUMNS})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--patterns", type=int)
    asked = parser.parse_args()
    write_rows(asked.out, asked.rows, asked.patterns)
