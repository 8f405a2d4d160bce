"""Which version serves, and the making of a decision that two people may be making at once."""

from __future__ import annotations

from dataclasses import replace

from training.promotion.decision_chain import Chain, DecisionError, read_chain
from training.promotion.decision_claim import Taken, decide, settle
from training.promotion.decisions import Decision
from training.registry import CHAMPION, Version, version_of

ATTEMPTS = 20  # at a number, where those who were quicker left the champion as it was


def serving(name: str) -> str | None:
    """The version that the alias champion is at; None without one."""
    from mlflow import MlflowClient

    found = MlflowClient().get_registered_model(name).aliases.get(CHAMPION)
    return None if found is None else str(found)


def champion_of(chain: Chain) -> Version:
    """The champion, which is the one that the decisions left.

    Raises:
        DecisionError: the alias is elsewhere: it was moved past the gates. RegistryError: there is no champion.
    """
    alias = serving(chain.model)
    if chain.champion is not None and alias != chain.champion:
        found = "gone" if alias is None else f"at version {alias}"
        raise DecisionError(
            f"{chain.model}: the alias {CHAMPION} is {found}, but the decisions left version {chain.champion} "
            "champion: it was moved past the gates; put it back with "
            f"`tregcast rollback --to {chain.champion} --reason TEXT`"
        )
    return version_of(f"models:/{chain.model}@{CHAMPION}")


def made(decision: Decision, champion: str | None) -> Decision:
    """The decision, claimed and carried out, with the next free number.

    Args:
        decision: with the number and the digest before it of the chain that was read.
        champion: that this chain left. What moves the alias is only decided while it still is champion.

    Raises:
        DecisionError: somebody else made another version champion meanwhile; nothing was moved.
    """
    for _ in range(ATTEMPTS):
        try:
            decide(decision)
        except Taken:
            chain = settle(decision.model)
            _require_unmoved(decision, champion, chain)
            decision = replace(decision, number=chain.next_number, before=chain.last)
        else:
            settle(decision.model)
            return decision
    raise DecisionError(f"{decision.model}: others decide all the time; nothing was moved, try again")


def first_champion(name: str, version: str) -> Version:
    """Make a version the champion of a model that has none and on which nothing was ever decided.

    Where decisions were made and the alias is gone nonetheless, training does not give it: that would be a way
    round the gates.
    """
    found = version_of(f"models:/{name}/{version}")
    chain = read_chain(name)
    if chain.problems:
        return found
    if chain.entries:
        settle(name)
    elif serving(name) is None:
        try:
            decide(chain.next_decision("first champion", None, found))
        except Taken:  # of two first trainings at once, the other one's is
            return found
        settle(name)
    return version_of(f"models:/{name}/{version}")


def _require_unmoved(decision: Decision, champion: str | None, chain: Chain) -> None:
    if not decision.moves or chain.champion == champion:
        return
    other = next(e.decision for e in reversed(chain.entries) if e.decision.moves)
    raise DecisionError(
        f"{decision.model}: version {other.to_version} was promoted meanwhile by {other.who} at {other.when} "
        f"(decision {other.number}, {other.kind}); nothing was moved, compare again"
    )
