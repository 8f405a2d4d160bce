"""What stands in the files of answers and of rejects: their columns."""

from __future__ import annotations

import pyarrow as pa

from features.matrix import DesignMatrix
from model.answer import NUMBERS, TOP, Explain

__all__ = ["TOP", "Explain", "answer_schema", "reject_schema"]

FORMAT = 1  # of the columns of answers and rejects, and of the summary

ROW, PATIENT, MONTH = "row", "patient_id", "months_since_onset"
OUTCOME, REASONS = "outcome", "reasons"
BASE, CONTRIBUTION = "base_value", "contribution_"
CODES, PROBLEMS = "codes", "problems"


def answer_schema(patient_type: pa.DataType, matrix: DesignMatrix, explain: Explain) -> pa.Schema:
    """The columns of the answers, one row per answered or abstained row of the input.

    ``row`` (its number in the input), ``patient_id`` (as it stands there, or the record's reference), the month of
    the index visit, ``outcome``, ``reasons`` (codes of cautions or of why there is no answer, separated by spaces)
    and `NUMBERS` in points/month, null where there is no answer. With ``top5`` the base value and the five largest
    contributions, largest first; with ``all`` the base value and a column for each feature.

    >>> schema = answer_schema(pa.string(), DesignMatrix(("nlr", "crp_mg_l")), "all")
    >>> schema.names[-3:]
    ['base_value', 'contribution_nlr', 'contribution_crp_mg_l']
    """
    fields = [(ROW, pa.int64()), (PATIENT, patient_type), (MONTH, pa.float64()), (OUTCOME, pa.string())]
    fields += [(REASONS, pa.string()), *((name, pa.float64()) for name in NUMBERS)]
    if explain != "none":
        fields.append((BASE, pa.float64()))
    if explain == "top5":
        for place in range(1, TOP + 1):
            fields.append((f"{CONTRIBUTION}{place}_feature", pa.string()))
            fields.append((f"{CONTRIBUTION}{place}_points_per_month", pa.float64()))
    if explain == "all":
        fields += [(CONTRIBUTION + column, pa.float64()) for column in matrix.columns]
    return pa.schema(fields)


def reject_schema(patient_type: pa.DataType) -> pa.Schema:
    """The columns of the rejects, one row per rejected row: codes by spaces, and each problem on a line of its own.

    >>> reject_schema(pa.int64()).names
    ['row', 'patient_id', 'codes', 'problems']
    """
    return pa.schema([(ROW, pa.int64()), (PATIENT, patient_type), (CODES, pa.string()), (PROBLEMS, pa.string())])
