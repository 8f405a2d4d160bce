"""Decisions are claimed one by one, follow from each other, and outlive the process that made them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.training.rivals import NAME, Rivals
from training.promotion.champion import first_champion, made, serving
from training.promotion.decision_chain import ARTIFACT, DecisionError, claim_name, read_chain
from training.promotion.decision_claim import Taken, decide, settle
from training.promotion.decisions import Decision, Kind, now

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROCESS = """
import os, signal, sys
from training.promotion.champion import made
from training.promotion.decision_chain import DecisionError, read_chain
from training.promotion.decision_claim import decide
from training.promotion.decisions import Decision, now
from training.tracking import open_store

uri, name, version, how = sys.argv[1:]
open_store(uri)
chain = read_chain(name)
decision = Decision(chain.next_number, name, "override", chain.champion, version, "f" * 64, f"process of {version}",
                    now(), chain.last, "a race")
print("ready", flush=True)
sys.stdin.readline()
if how == "die":
    decide(decision)
    os.kill(os.getpid(), signal.SIGKILL)
try:
    print("made", made(decision, chain.champion).number)
except DecisionError as error:
    print("told", error)
"""


@pytest.fixture
def client(own: Rivals) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient()


def next_decision(kind: Kind, to_version: str, who: str = "eve") -> Decision:
    chain = read_chain(NAME)
    return Decision(
        chain.next_number, NAME, kind, chain.champion, to_version, "f" * 64, who, now(), chain.last, "a test"
    )


def moved(kind: Kind, to_version: str) -> Decision:
    return made(next_decision(kind, to_version), read_chain(NAME).champion)


def start(uri: str, version: str, how: str = "make") -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROCESS, uri, NAME, version, how]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def together(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let them go when all have read the chain; what each said."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.communicate(timeout=180)[0] for process in processes]


@contextmanager
def serving_store(rivals: Rivals) -> Iterator[str]:
    """A tracking server before the store, in a process group of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", rivals.uri, "--port", str(port)]
    command += ["--workers", "1", "--default-artifact-root", (rivals.folder / "artifacts").as_uri()]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (rivals.folder.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 90
        while not answers(f"{uri}/health"):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def test_training_made_the_first_decision(own: Rivals) -> None:
    chain = read_chain(NAME)
    [entry] = chain.entries
    assert (entry.decision.kind, entry.decision.to_version, entry.finished) == ("first champion", "1", True)
    assert (chain.champion, chain.problems, serving(NAME)) == ("1", (), "1")


def test_decisions_follow_from_each_other(own: Rivals, client: MlflowClient) -> None:
    moved("promotion", "2")
    moved("refusal", "3")
    moved("override", "3")
    moved("rollback", "2")
    chain = read_chain(NAME)
    assert [entry.decision.number for entry in chain.entries] == [1, 2, 3, 4, 5]
    assert all(
        after.decision.before == before.digest
        for before, after in zip(chain.entries, chain.entries[1:], strict=False)
    )
    assert (chain.champion, serving(NAME)) == ("2", "2")
    assert (chain.champions, chain.standing) == (("1", "2", "3"), ("1", "2"))
    tags = client.get_model_version(NAME, "3").tags
    assert tags["tregcast.decision.3"].startswith("refusal by eve")
    assert tags["tregcast.decision.4"].endswith(": a test")


def test_a_number_is_taken_once(own: Rivals) -> None:
    first, second = next_decision("override", "2", "adam"), next_decision("override", "3")
    decide(first)
    with pytest.raises(Taken):
        decide(second)
    assert [entry.decision.who for entry in read_chain(NAME).entries][1:] == ["adam"]


def test_who_comes_second_is_told_who_was_first(own: Rivals) -> None:
    first, second = next_decision("override", "2", "adam"), next_decision("override", "3")
    made(first, "1")
    with pytest.raises(DecisionError, match=r"version 2 was promoted meanwhile by adam at .*compare again"):
        made(second, "1")
    assert (serving(NAME), len(read_chain(NAME).entries)) == ("2", 2)


def test_a_refusal_meanwhile_takes_nothing_from_a_promotion(own: Rivals) -> None:
    refusal, promotion = next_decision("refusal", "3"), next_decision("promotion", "2")
    made(refusal, "1")
    assert made(promotion, "1").number == 3
    assert (serving(NAME), read_chain(NAME).problems) == ("2", ())


@pytest.mark.slow
@pytest.mark.parametrize("through", ["a database", "a server"])
def test_of_two_processes_one_decides(own: Rivals, through: str) -> None:
    with serving_store(own) if through == "a server" else nullcontext(own.uri) as uri:
        said = together([start(uri, "2"), start(uri, "3")])
    assert sorted(each.split()[0] for each in said) == ["made", "told"]
    winner = "2" if said[0].startswith("made") else "3"
    chain = settle(NAME)
    assert (chain.champion, serving(NAME), len(chain.entries)) == (winner, winner, 2)
    told = next(each for each in said if each.startswith("told"))
    assert f"version {winner} was promoted meanwhile by process of {winner}" in told


def test_a_process_killed_after_its_claim_is_finished_by_the_next(own: Rivals) -> None:
    process = start(own.uri, "2", "die")
    together([process])
    assert process.returncode == -9
    chain = read_chain(NAME)
    assert (chain.champion, serving(NAME)) == ("2", "1")
    assert not chain.entries[-1].finished
    assert settle(NAME).entries[-1].finished
    assert (serving(NAME), read_chain(NAME).problems) == ("2", ())


def test_an_alias_written_late_by_a_slow_process_is_put_right(own: Rivals, client: MlflowClient) -> None:
    """It read decision 2 as open, slept while decision 3 was made, and then wrote the alias of decision 2."""
    decide(next_decision("override", "2"))
    asleep = client.set_registered_model_alias
    slept = []

    def late(name: str, alias: str, version: str) -> None:
        if not slept:
            slept.append(version)
            decision = next_decision("override", "3")
            made(decision, "2")
        asleep(name, alias, version)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", lambda _, *given: late(*given))
        chain = settle(NAME)
    assert slept == ["2"]
    assert (chain.champion, serving(NAME)) == ("3", "3")


def test_training_never_gives_back_an_alias_that_was_taken_away(own: Rivals, client: MlflowClient) -> None:
    client.delete_registered_model_alias(NAME, "champion")
    assert first_champion(NAME, "3").aliases == ("challenger",)
    assert serving(NAME) is None


# -------------------------------------------------------------------------------------------------------- tampering


def document(own: Rivals, number: int) -> Path:
    run_id = read_chain(NAME).entries[number - 1].run_id
    return own.folder / "artifacts" / run_id / "artifacts" / ARTIFACT


def test_a_changed_decision_is_told(own: Rivals) -> None:
    moved("override", "2")
    file = document(own, 2)
    file.write_text(file.read_text("utf-8").replace("a test", "a better reason"), "utf-8")
    assert "decision 2: decision.json of run" in read_chain(NAME).problems[0]
    with pytest.raises(DecisionError, match="the chain of decisions is broken"):
        settle(NAME)


def test_a_decision_changed_together_with_its_claim_is_told_by_the_next(own: Rivals, client: MlflowClient) -> None:
    moved("override", "2")
    moved("override", "3")
    entry = read_chain(NAME).entries[1]
    other = replace(entry.decision, reason="a better reason")
    document(own, 2).write_bytes(other.as_json())
    claim(client, 2, other)
    assert read_chain(NAME).problems[0] == "decision 3: the decision before it is not the one it was made after"


def test_the_last_decision_made_anew_is_told(own: Rivals, client: MlflowClient) -> None:
    moved("override", "2")
    other = replace(read_chain(NAME).entries[1].decision, reason="a better reason")
    document(own, 2).write_bytes(other.as_json())
    claim(client, 2, other)
    assert read_chain(NAME).problems == ("decision 2 is not the one that tregcast.last_decision names",)


def test_a_decision_whose_claim_is_renamed_is_missed(own: Rivals, client: MlflowClient) -> None:
    moved("override", "2")
    moved("override", "3")
    experiment = client.get_experiment_by_name(claim_name(NAME, 2))
    assert experiment is not None
    client.rename_experiment(experiment.experiment_id, "something else")
    assert "decision 2: experiment tregcast-decision-rivals-2 is gone" in read_chain(NAME).problems


def test_a_deleted_claim_still_holds_its_number(own: Rivals, client: MlflowClient) -> None:
    moved("override", "2")
    experiment = client.get_experiment_by_name(claim_name(NAME, 2))
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    assert read_chain(NAME).problems == ()
    with pytest.raises(Taken):
        decide(replace(next_decision("override", "3"), number=2))


def claim(client: MlflowClient, number: int, decision: Decision) -> None:
    """Make a claim name another document, as somebody with access to the store could."""
    from training.promotion.decisions import digest_of

    experiment = client.get_experiment_by_name(claim_name(NAME, number))
    assert experiment is not None
    client.set_experiment_tag(experiment.experiment_id, "tregcast.decision_sha256", digest_of(decision.as_json()))
