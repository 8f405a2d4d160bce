"""The chain of decisions on a model, kept in MLflow: reading it, and holding each to the one before.

Decision n of a model is the run that the tags of the experiment ``tregcast-decision-<model>-<n>`` name, with the
sha256 of its ``decision.json``. How a number is claimed is in `training.promotion.decision_claim`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.promotion.decisions import NOTHING_BEFORE, Decision, Kind, decision_from, digest_of, now, who
from training.registry import Version
from training.tracking import StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient


ARTIFACT = "decision.json"
RUN_TAG, DIGEST_TAG = "tregcast.decision_run", "tregcast.decision_sha256"
LAST_TAG = "tregcast.last_decision"  # of the registered model: number and sha256


class DecisionError(StoreError):
    """A decision cannot be made now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision in the chain: its sha256, its run, and whether all that follows from it is done."""

    decision: Decision
    digest: str
    run_id: str
    finished: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """The decisions on a model, first to last, and what is wrong with them, if anything."""

    model: str
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]

    @property
    def champion(self) -> str | None:
        """The version that the decisions left champion; None before the first of them."""
        return self.standing[-1] if self.standing else None

    @property
    def champions(self) -> tuple[str, ...]:
        """Every version that ever was champion, in order."""
        first = [entry.decision.from_version for entry in self.entries[:1]]
        moved = [entry.decision.to_version for entry in self.entries if entry.decision.moves]
        return tuple(dict.fromkeys(version for version in (*first, *moved) if version is not None))

    @property
    def standing(self) -> tuple[str, ...]:
        """The champions up to the present one; a rollback takes off those after the one it returned to."""
        found = [entry.decision.from_version for entry in self.entries[:1] if entry.decision.from_version]
        for entry in self.entries:
            version = entry.decision.to_version
            if entry.decision.kind == "rollback" and version in found:
                found = found[: len(found) - found[::-1].index(version)]
            elif entry.decision.moves:
                found.append(version)
        return tuple(found)

    @property
    def last(self) -> str:
        """What the next decision holds of the one before."""
        return self.entries[-1].digest if self.entries else NOTHING_BEFORE

    @property
    def next_number(self) -> int:
        """The number of the next decision."""
        return len(self.entries) + 1

    def next_decision(self, kind: Kind, from_version: str | None, to: Version) -> Decision:
        """A decision to be made after these, now and by whoever runs this."""
        return Decision(
            number=self.next_number,
            model=self.model,
            kind=kind,
            from_version=from_version,
            to_version=to.version,
            to_pack=to.pack_id,
            who=who(),
            when=now(),
            before=self.last,
        )

    def require_sound(self) -> None:
        """Nothing, if each decision is as it was made.

        Raises:
            DecisionError: with all that is wrong.
        """
        if self.problems:
            raise DecisionError(
                f"{self.model}: the chain of decisions is broken: {'; '.join(self.problems)}. Nothing is decided "
                "on it; restore the store from a backup, or train under another --name"
            )


def read_chain(model: str) -> Chain:
    """All decisions on a model, each held to its sha256 and to the one before it.

    Raises:
        StoreError: the store does not answer.
    """
    with told_as_store_error(model):
        client = store_client()
        claims = claims_of(client, model)
        entries: list[Entry] = []
        problems: list[str] = []
        before = NOTHING_BEFORE
        for number in range(1, max(claims, default=0) + 1):
            try:
                entry = _entry(client, model, number, claims, before)
            except ValueError as error:
                problems.append(f"decision {number}: {error}")
                before = claims.get(number, {}).get(DIGEST_TAG, before)
                continue
            entries.append(entry)
            before = entry.digest
        problems += _against_last(client, model, entries)
        return Chain(model, tuple(entries), tuple(problems))


def claim_name(model: str, number: int) -> str:
    """The experiment that holds the number of a decision."""
    return f"tregcast-decision-{model}-{number}"


def store_client() -> MlflowClient:
    """MLflow's client of the store that was opened."""
    from mlflow import MlflowClient

    return MlflowClient()


def claims_of(client: MlflowClient, model: str) -> dict[int, Mapping[str, str]]:
    """The tags of each claim by number; a deleted experiment still holds its number."""
    from mlflow.entities import ViewType

    prefix = claim_name(model, 0)[:-1]
    found: dict[int, Mapping[str, str]] = {}
    token = None
    while True:
        page = client.search_experiments(
            ViewType.ALL, filter_string=f"name LIKE '{prefix}%'", max_results=1000, page_token=token
        )
        for experiment in page:
            number = experiment.name.removeprefix(prefix)
            if experiment.name.startswith(prefix) and number.isascii() and number.isdecimal():
                found[int(number)] = experiment.tags
        token = page.token
        if not token:
            return found


def _entry(
    client: MlflowClient, model: str, number: int, claims: Mapping[int, Mapping[str, str]], before: str
) -> Entry:
    """Decision n as it was made.

    Raises:
        ValueError: it is missing or changed.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    if number not in claims:
        raise ValueError(f"experiment {claim_name(model, number)} is gone")
    run_id, digest = (claims[number].get(tag, "") for tag in (RUN_TAG, DIGEST_TAG))
    try:
        status = str(client.get_run(run_id).info.status)
        with tempfile.TemporaryDirectory() as scratch:
            uri = f"runs:/{run_id}/{ARTIFACT}"
            document = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch)).read_bytes()
    except (MlflowException, OSError) as error:
        raise ValueError(f"{ARTIFACT} of run {run_id or 'without id'} cannot be fetched: {error}") from error
    if digest_of(document) != digest:
        raise ValueError(f"{ARTIFACT} of run {run_id} is not the one claimed: its sha256 differs")
    decision = decision_from(document)
    if (decision.model, decision.number) != (model, number):
        raise ValueError(f"it is decision {decision.number} on {decision.model}")
    if decision.before != before:
        raise ValueError("the decision before it is not the one it was made after")
    return Entry(decision, digest, run_id, status == "FINISHED")


def _against_last(client: MlflowClient, model: str, entries: list[Entry]) -> list[str]:
    """The registered model remembers its last decision: one taken off the end, or made anew, shows."""
    from mlflow.exceptions import MlflowException

    try:
        said = client.get_registered_model(model).tags.get(LAST_TAG)
    except MlflowException:
        return []  # no such model: whoever asks for its versions is told
    if said is None:
        return []
    number, _, digest = said.partition(" ")
    found = {str(entry.decision.number): entry.digest for entry in entries}
    return [] if found.get(number) == digest else [f"decision {number} is not the one that {LAST_TAG} names"]


@contextmanager
def told_as_store_error(model: str) -> Iterator[None]:
    """What the store cannot do is told as a StoreError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise StoreError(f"{model}: the store does not answer as it should: {error.message}") from error
