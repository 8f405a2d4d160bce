"""The model as MLflow knows it. MLflow runs this file when it loads the model, and the pack does the rest.

A row of the input is a visit: columns of the vocabulary in canonical units (a column's name carries its unit), as
in a cohort file. Rows of one ``patient_id`` in one call are one history, and each row is answered from what was
known at that visit; without ``patient_id`` each row stands alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from model.pack import Pack, load_pack
from training.scoring import score_table


class TregcastModel(PythonModel):
    """Loads the pack once, verified, and scores tables with it."""

    def load_context(self, context: Any) -> None:
        """Load the pack that was logged with the model."""
        self.pack: Pack = load_pack(Path(context.artifacts["pack"]))

    def predict(  # the signature is MLflow's
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """One row of answer per row of input, in order: see `training.scoring`."""
        return score_table(self.pack.predictor, model_input)


set_model(TregcastModel())
