"""The whole way of a promotion, by the commands: passed, refused, despite a reason, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from tests.training.rivals import NAME, Rivals, frame
from training.promotion.champion import serving
from training.promotion.decision_chain import ARTIFACT, read_chain
from training.promotion.decision_claim import decide
from training.promotion.decisions import Decision, now


def run(rivals: Rivals, command: str, *arguments: object) -> Result:
    given = [command, *map(str, arguments), "--tracking-uri", rivals.uri]
    return CliRunner().invoke(main, given, catch_exceptions=False)


def promoted(rivals: Rivals, which: str, *arguments: object, on: str = "better") -> Result:
    return run(rivals, "promote", rivals.files[on].table, "--challenger", rivals.reference(which), *arguments)


def rolled_back(rivals: Rivals, *arguments: object) -> Result:
    return run(rivals, "rollback", "--name", NAME, *arguments)


def lineage(rivals: Rivals, reference: str = f"models:/{NAME}@champion") -> tuple[int, dict[str, object]]:
    result = run(rivals, "lineage", reference, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_a_better_model_is_promoted_and_everything_is_known_of_it(own: Rivals) -> None:
    result = promoted(own, "better")
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.stdout
    assert "refitted, the same pack" in result.stdout
    assert serving(NAME) == "2"

    code, found = lineage(own)
    made = own.runs["better"]
    assert code == 0
    assert (found["version"], found["pack_id"], found["run_id"]) == ("2", made.pack_id, made.run_id)
    assert found["cohort"]["digest"] == made.cohort.digest  # type: ignore[index]
    assert found["cohort"]["rows"] == 600  # type: ignore[index]
    assert found["settings"]["n_trees"] == "30"  # type: ignore[index]
    assert found["decision"]["kind"] == "promotion"  # type: ignore[index]
    assert len(found["decision"]["gates"]) == 12  # type: ignore[index]
    assert [each["kind"] for each in found["before"]] == ["first champion"]  # type: ignore[attr-defined]
    text = run(own, "lineage", f"models:/{NAME}@champion").stdout
    assert "non-inferior" in text
    assert "The chain of decisions is whole, the pack verifies." in text


@pytest.mark.slow
def test_a_worse_model_is_refused_with_every_gate_and_nothing_is_moved(own: Rivals) -> None:
    assert promoted(own, "better", "--override", "first the good one").exit_code == 0
    result = promoted(own, "worse", "--trained-on", own.files["worse"].table)
    assert result.exit_code == 3
    assert "FAIL  non-inferior" in result.stdout
    assert "pass  determinism            refitted, the same pack" in result.stdout
    assert result.stdout.count("\n  pass ") + result.stdout.count("\n  FAIL ") == 12
    assert serving(NAME) == "2"
    refusal = read_chain(NAME).entries[-1].decision
    assert (refusal.kind, refusal.to_version) == ("refusal", "3")
    assert "non-inferior" in refusal.failed

    again = promoted(own, "worse", "--override", "the clinic asks for it")
    assert again.exit_code == 0
    assert "refitted at decision 3, the same pack" in again.stdout  # it is not fitted once more
    assert serving(NAME) == "3"
    code, found = lineage(own)
    assert code == 0
    assert found["decision"]["kind"] == "override"  # type: ignore[index]
    assert found["decision"]["reason"] == "the clinic asks for it"  # type: ignore[index]

    assert rolled_back(own, "--reason", "it was worse indeed").exit_code == 0
    assert serving(NAME) == "2"
    assert rolled_back(own, "--reason", "and further").exit_code == 0
    assert serving(NAME) == "1"
    told = rolled_back(own, "--reason", "further still")
    assert told.exit_code == 2
    assert "no champion before version 1 is known" in told.stderr
    assert "override" in [each["kind"] for each in lineage(own, f"models:/{NAME}/3")[1]["about"]]  # type: ignore[attr-defined]


def test_another_cohort_does_not_show_determinism(own: Rivals, tmp_path: Path) -> None:
    frame(8, first=9000).to_csv(tmp_path / "new.csv", index=False)
    arguments = ["promote", tmp_path / "new.csv", "--challenger", own.reference("better")]
    result = run(own, *map(str, arguments))  # type: ignore[arg-type]
    assert result.exit_code == 3
    assert "FAIL  determinism            not checked: new.csv is not the cohort" in result.stdout


def test_a_pack_changed_in_the_store_is_refused_whatever_the_reason(own: Rivals) -> None:
    import hashlib

    for manifest in own.folder.rglob("pack/manifest.json"):
        if hashlib.sha256(manifest.read_bytes()).hexdigest() == own.runs["better"].pack_id:
            with (manifest.parent / "card.json").open("ab") as file:
                file.write(b" ")
    result = promoted(own, "better", "--override", "it is only a space")
    assert result.exit_code == 3
    assert "FAIL  pack verifies          card.json" in result.stdout
    assert "no reason lifts this" in result.stdout
    assert serving(NAME) == "1"
    assert read_chain(NAME).entries[-1].decision.kind == "refusal"


def test_a_promotion_that_was_killed_is_finished_by_the_next_command(own: Rivals) -> None:
    chain = read_chain(NAME)
    decide(
        Decision(
            2,
            NAME,
            "override",
            "1",
            "2",
            own.runs["better"].pack_id,
            "eve",
            now(),
            chain.last,
            "then the lights went",
        )
    )
    code, found = lineage(own)
    assert code == 1
    assert "decision 2 stands but its process ended before all was done" in str(found["problems"])
    result = promoted(own, "better")
    assert (result.exit_code, serving(NAME)) == (2, "2")
    assert "version 2 is the champion already" in result.stderr
    assert lineage(own)[0] == 0


def test_an_alias_moved_past_the_gates_is_seen_and_put_back(own: Rivals) -> None:
    import mlflow

    mlflow.MlflowClient().set_registered_model_alias(NAME, "champion", "3")
    code, found = lineage(own)
    assert (code, found["decision"]) == (1, None)
    assert "the alias champion is at version 3, the decisions left version 1" in str(found["problems"])
    told = promoted(own, "better")
    assert told.exit_code == 2
    assert "it was moved past the gates; put it back with `tregcast rollback --to 1 --reason TEXT`" in told.stderr
    assert rolled_back(own, "--to", "3", "--reason", "keep it").exit_code == 2  # it never was champion
    assert rolled_back(own, "--to", "1", "--reason", "moved by hand").exit_code == 0
    assert lineage(own)[0] == 0


def test_a_tampered_decision_is_seen_and_stops_everything(own: Rivals) -> None:
    entry = read_chain(NAME).entries[0]
    file = own.folder / "artifacts" / entry.run_id / "artifacts" / ARTIFACT
    file.write_text(file.read_text("utf-8").replace(entry.decision.who, "somebody else"), "utf-8")
    code, found = lineage(own)
    assert code == 1
    assert "is not the one claimed: its sha256 differs" in str(found["problems"])
    for told in (promoted(own, "better"), rolled_back(own, "--reason", "x")):
        assert told.exit_code == 2
        assert "the chain of decisions is broken: decision 1" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--override", " "), "override is empty"),
        (("--trained-on-mapping", __file__), "--trained-on-mapping is given without --trained-on"),
        (("--challenger", f"models:/{NAME}@champion"), "version 1 is the champion already"),
        (("--challenger", f"models:/{NAME}/9"), "not found"),
        (("--margin", "2"), "2.0 is not in the range"),
    ],
)
def test_mistakes_are_told_in_one_message(rivals: Rivals, arguments: tuple[str, ...], says: str) -> None:
    result = promoted(rivals, "better", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_a_file_that_is_no_cohort(rivals: Rivals) -> None:
    result = run(rivals, "promote", __file__, "--name", NAME)
    assert result.exit_code == 2
    assert "not a .csv, .csv.gz or .parquet file" in result.stderr
