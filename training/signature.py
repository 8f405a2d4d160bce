"""What MLflow is told of the model's table: its columns, their types, and a made-up example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.matrix import DesignMatrix
from features.table import COMPARATOR, PATIENT, TIME
from features.vocabulary import Quantity, vocabulary
from model.answer import NUMBERS
from model.contents import Contents
from model.golden import golden_records
from training.scoring import TEXTS

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature


def input_columns(matrix: DesignMatrix) -> dict[str, str]:
    """The columns that a table for this model may have, each ``double`` or ``string``; only the time is required.

    Numeric columns are ``double`` throughout: MLflow drops a signature with nullable integers without a word.
    """
    columns = {PATIENT: "string", TIME: "double"}
    for category in vocabulary().categories.values():
        if category.name in matrix.inputs:
            columns[category.name] = "string"
    for quantity in _inputs(matrix):
        columns[quantity.column] = "double"
        if quantity.level == "visit" and not quantity.integer:
            columns[quantity.column + COMPARATOR] = "string"
        columns.update({qualifier.name: "string" for qualifier in quantity.qualifiers})
    return columns


def signature_for(matrix: DesignMatrix) -> ModelSignature:
    """The signature: input columns (all but the time optional) and the columns of `training.scoring`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs: list[ColSpec | TensorSpec] = []
    for name, kind in input_columns(matrix).items():
        inputs.append(ColSpec(kind, name, required=name == TIME))
    outputs: list[ColSpec | TensorSpec] = []
    outputs += [ColSpec("double", name) for name in NUMBERS]
    outputs += [ColSpec("string", name) for name in TEXTS]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def input_example(contents: Contents) -> pd.DataFrame:
    """Made-up patients (those of the golden answers), one row a visit."""
    import pandas as pd

    words = vocabulary()
    rows: list[dict[str, object]] = []
    for number, record in enumerate(golden_records(contents.matrix, contents.applicability)):
        visits = record["visits"]
        assert isinstance(visits, list)
        for visit in visits:
            earlier = visits[-1][TIME]["value"] - visit[TIME]["value"]  # months before the index visit
            row: dict[str, object] = {PATIENT: f"example-{number + 1}", TIME: visit[TIME]["value"]}
            row.update({k: v for k, v in record.items() if k in words.categories})
            for name in ("age", "diagnostic_delay"):
                if isinstance(found := record.get(name), dict):
                    row[words.quantities[name].column] = found["value"]
            if "age_years" in row:
                row["age_years"] -= earlier / 12.0
            row.update({words.quantities[k].column: v["value"] for k, v in visit["measurements"].items()})
            for sent in visit["measurements"].values():
                row.update({key: said for key, said in sent.items() if key in words.qualifiers})
            rows.append(row)
    columns = input_columns(contents.matrix)
    frame = pd.DataFrame(rows).reindex(columns=[c for c in columns if any(c in row for row in rows)])
    return frame.astype({str(c): "float64" for c in frame if columns[str(c)] == "double"})


def _inputs(matrix: DesignMatrix) -> list[Quantity]:
    """The quantities of the model, the parts of them, and the score, in the order of the vocabulary."""
    return [
        quantity
        for column, quantity in vocabulary().by_column.items()
        if column in matrix.inputs and column != TIME
    ]
