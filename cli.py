"""The command ``tregcast``: the one place where the rooms are put together.

Each command imports what it needs when it runs, so that ``--help`` is quick and serving loads nothing of training.
"""

from __future__ import annotations

import click

from commands.audit import audit
from commands.cohort import cohort
from commands.compare import compare
from commands.evaluate import evaluate_markers
from commands.keys import keys
from commands.lineage import lineage
from commands.pin import pin
from commands.predict import predict
from commands.promote import promote, rollback
from commands.registry import pull
from commands.report import report
from commands.score import score
from commands.serve import serve
from commands.train import train
from commands.tune import tune
from commands.vocabulary import vocabulary
from features.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="tregcast")
def main() -> None:
    """Predict how fast a person with ALS will progress, how sure that is, and why."""


COMMANDS = (
    cohort,
    train,
    tune,
    evaluate_markers,
    compare,
    promote,
    rollback,
    lineage,
    report,
    pull,
    pin,
    serve,
    predict,
    score,
    keys,
    vocabulary,
    audit,
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
