"""Making a decision: its number is claimed, once, over any tracking server; what follows is done by whoever comes.

MLflow has no compare-and-set on aliases. What it does once only is to create an experiment of a given name. So who
creates ``tregcast-decision-<model>-<n>`` has made decision n, and everybody else is told it is taken. See
docs/decisions/0008.

1. The decision is written to a run of its own (``decision.json``). Nobody reads it yet.
2. The experiment is created, with run and sha256 as its tags. This is the moment of decision.
3. The alias follows, then the run is closed. A process killed before that leaves an open run; the next `settle`,
   by whoever comes, does the rest.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from training.promotion.decision_chain import (
    ARTIFACT,
    DIGEST_TAG,
    LAST_TAG,
    RUN_TAG,
    Chain,
    DecisionError,
    Entry,
    claim_name,
    claims_of,
    read_chain,
    store_client,
    told_as_store_error,
)
from training.promotion.decisions import Decision, digest_of
from training.registry import CHAMPION
from training.run_record import KIND_TAG
from training.tracking import EXPERIMENT, StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE = "mlflow.note.content"
TAKEN = "RESOURCE_ALREADY_EXISTS"
LONGEST_TAG = 4000  # characters; a store may refuse more. The document holds a reason whole


class Taken(DecisionError):
    """Another decision has this number."""


def decide(decision: Decision) -> Entry:
    """Write a decision and claim its number. Afterwards it stands; `settle` does what follows from it.

    Raises:
        Taken: another decision has the number. StoreError: the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    document = decision.as_json()
    with told_as_store_error(decision.model):
        client = store_client()
        run_id = _written(client, decision, document)
        tags = {
            KIND_TAG: "claim",
            RUN_TAG: run_id,
            DIGEST_TAG: digest_of(document),
            NOTE: f"Holds the number of a decision, do not delete: {decision.sentence}"[:LONGEST_TAG],
        }
        try:
            client.create_experiment(claim_name(decision.model, decision.number), tags=tags)
        except MlflowException as error:
            holder = claims_of(client, decision.model).get(decision.number, {}).get(RUN_TAG)
            if holder != run_id:  # it may be ours: an answer lost on the way is asked for again
                client.set_tag(run_id, KIND_TAG, "decision not made")
                client.set_terminated(run_id, "KILLED")
                if error.error_code != TAKEN:
                    raise
                raise Taken(f"{decision.model}: decision {decision.number} was made by somebody else") from error
    return Entry(decision, digest_of(document), run_id, finished=False)


def settle(model: str) -> Chain:
    """Do what follows from decisions and is not done yet: the alias, the tags, the run's end. Whoever made them.

    A slow process may write an alias that a later decision has moved on; so what was written is held to the chain
    again afterwards.

    Raises:
        DecisionError: the chain is broken. StoreError: the store does not answer.
    """
    written: str | None = None
    while True:
        chain = read_chain(model)
        chain.require_sound()
        pending = [entry for entry in chain.entries if not entry.finished]
        stale = written is not None and written != chain.champion
        if not pending and not stale:
            return chain
        with told_as_store_error(model):
            client = store_client()
            if chain.champion is not None and (stale or any(entry.decision.moves for entry in pending)):
                written = chain.champion
                client.set_registered_model_alias(model, CHAMPION, written)
            for entry in pending:
                _finish(client, entry)


def _written(client: MlflowClient, decision: Decision, document: bytes) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        raise StoreError(f"experiment {EXPERIMENT} is not there; open the store first")
    tags = {
        KIND_TAG: "decision",
        "tregcast.model": decision.model,
        "tregcast.decision": str(decision.number),
        "tregcast.decision_kind": decision.kind,
        "tregcast.decision_by": decision.who,
        "tregcast.to_version": decision.to_version,
        "tregcast.from_version": decision.from_version or "",
        DIGEST_TAG: digest_of(document),
    }
    name = f"{decision.model}: decision {decision.number}, {decision.kind}"
    run = client.create_run(experiment.experiment_id, tags=tags, run_name=name)
    client.log_text(run.info.run_id, document.decode(), ARTIFACT)
    return str(run.info.run_id)


def _finish(client: MlflowClient, entry: Entry) -> None:
    from mlflow.exceptions import MlflowException

    decision = entry.decision
    told = f"{decision.kind} by {decision.who}, {decision.when}" + (
        f": {decision.reason}" if decision.reason else ""
    )
    with suppress(MlflowException):  # a version that was deleted since can not be tagged
        client.set_model_version_tag(
            decision.model, decision.to_version, f"tregcast.decision.{decision.number}", told[:LONGEST_TAG]
        )
    client.set_registered_model_tag(decision.model, LAST_TAG, f"{decision.number} {entry.digest}")
    client.set_terminated(entry.run_id, "FINISHED")
