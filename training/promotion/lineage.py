"""Where a version comes from: cohort, run, code and settings, and the decisions on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.promotion.champion import serving
from training.promotion.contender import verified
from training.promotion.decision_chain import Chain, read_chain
from training.promotion.decisions import Decision
from training.recipe import SETTINGS, RegisteredRun, run_of
from training.registry import CHAMPION, Refused, RegistryError, Version, version_of
from training.tracking import open_store

RUN_PARAMETERS = ("seed", "index_visits", *SETTINGS)
COUNTS = ("rows", "patients", "patients_with_outcome", "patients_excluded", "examples", "deaths")
OURS = "tregcast."


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is known of how a version came to be, and what is wrong with the records of it."""

    version: Version
    run: RegisteredRun | None
    cohort: Mapping[str, object]  # name, provenance, digest and counts, from the verified card
    decision: Decision | None  # that last made it champion
    about: tuple[Decision, ...]  # all on this version, first to last
    before: tuple[Decision, ...]  # those that moved the champion before that
    problems: tuple[str, ...]

    @property
    def settings(self) -> Mapping[str, str]:
        """Seed, index visits and settings of the trees, as the run has them."""
        return {} if self.run is None else {k: self.run.params[k] for k in RUN_PARAMETERS if k in self.run.params}

    @property
    def record(self) -> Mapping[str, str]:
        """What the run's tags say of code, commit and cohort, and who ran it."""
        tags = {} if self.run is None else self.run.tags
        found = {key.removeprefix(OURS): value for key, value in sorted(tags.items()) if key.startswith(OURS)}
        return {**({"user": tags["mlflow.user"]} if "mlflow.user" in tags else {}), **found}

    @property
    def figures(self) -> Mapping[str, float]:
        """The cross-validated metrics of the run, and what it says of its cost."""
        return {} if self.run is None else dict(sorted(self.run.metrics.items()))


def lineage(reference: str, tracking_uri: str | None = None) -> Lineage:
    """The lineage of ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.

    What cannot be verified is told in ``problems``, not raised: a lineage is asked for when something is wrong.

    Raises:
        StoreError: the store cannot be opened or the registry does not have the version.
    """
    uri = open_store(tracking_uri, make=False)
    version = version_of(reference)
    chain = read_chain(version.name)
    problems = [*chain.problems, *_alias_problems(chain), *_unfinished(chain)]
    cohort: Mapping[str, object] = {}
    run: RegisteredRun | None = None
    try:
        card = verified(version, uri).pack.card
        cohort = _cohort(card.get("cohort"))
    except (RegistryError, Refused) as error:
        problems.append(f"the pack does not verify: {error}")
    try:
        run = run_of(version)
    except RegistryError as error:
        problems.append(str(error))
    decisions = tuple(entry.decision for entry in chain.entries)
    about = tuple(decision for decision in decisions if decision.to_version == version.version)
    made = next((decision for decision in reversed(about) if decision.moves), None)
    if made is not None and made.to_pack != version.pack_id:
        problems.append(f"decision {made.number} was on pack {made.to_pack[:12]}, the version now names another")
    last = made.number if made is not None else len(decisions) + 1
    before = tuple(decision for decision in decisions if decision.moves and decision.number < last)
    return Lineage(version, run, cohort, made, about, before, tuple(problems))


def _cohort(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        return {}
    return {key: found[key] for key in ("name", "provenance", "digest", *COUNTS) if key in found}


def _alias_problems(chain: Chain) -> list[str]:
    alias = serving(chain.model)
    pending = any(not entry.finished for entry in chain.entries)
    if chain.champion is None:
        return [] if alias is None else ["the champion was made before decisions were kept"]
    if alias == chain.champion or pending:
        return []
    where = "gone" if alias is None else f"at version {alias}"
    return [f"the alias {CHAMPION} is {where}, the decisions left version {chain.champion}: moved past the gates"]


def _unfinished(chain: Chain) -> list[str]:
    return [
        f"decision {entry.decision.number} stands but its process ended before all was done; the next promote or "
        "rollback finishes it"
        for entry in chain.entries
        if not entry.finished
    ]
