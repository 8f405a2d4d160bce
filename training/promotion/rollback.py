"""Back to a version that was champion before."""

from __future__ import annotations

from dataclasses import replace

from training.promotion.champion import made, serving
from training.promotion.contender import verified
from training.promotion.decision_chain import Chain, DecisionError
from training.promotion.decision_claim import settle
from training.promotion.decisions import Decision
from training.registry import version_of
from training.tracking import open_store, using_store


def rollback(name: str, *, reason: str, to_version: str | None = None, tracking_uri: str | None = None) -> Decision:
    """Return to the champion before this one, or to another that was champion once; its pack is verified first.

    Raises:
        StoreError: the store or the registry does not have it. Refused: its pack does not verify.
        DecisionError: there is nothing to return to, or another decision was made meanwhile.
    """
    if not reason.strip():
        raise DecisionError("reason is empty; say in a few words why, it is kept for ever")
    uri = open_store(tracking_uri, make=False)
    with using_store(uri):
        chain = settle(name)
        from_version = serving(name)
        target = verified(version_of(f"models:/{name}/{_target(chain, from_version, to_version)}"), uri).version
        decision = replace(chain.next_decision("rollback", from_version, target), reason=reason)
        return made(decision, chain.champion)


def _target(chain: Chain, from_version: str | None, to_version: str | None) -> str:
    """The version to return to.

    Raises:
        DecisionError: there is none, it is champion already, or it never was.
    """
    name = chain.model
    if to_version is None:
        if from_version != chain.champion and chain.champion is not None:
            return chain.champion  # the alias was moved by hand: back to what was decided
        if len(chain.standing) < 2:
            raise DecisionError(f"{name}: no champion before version {from_version} is known; nothing to return to")
        return chain.standing[-2]
    if to_version not in chain.champions:
        known = ", ".join(chain.champions) or "none"
        raise DecisionError(
            f"{name}: version {to_version} was never champion (champions: {known}); `tregcast promote` takes it "
            "through the gates"
        )
    if to_version == from_version == chain.champion:
        raise DecisionError(f"{name}: version {to_version} is the champion already; nothing to return to")
    return to_version
