"""Whether a version can be made again, byte for byte, from its cohort and what its run says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from model.pack import write_pack
from training.cohort import read_cohort
from training.fit import fit
from training.progress import Progress, silent
from training.promotion.contender import Contender
from training.promotion.decision_chain import Chain
from training.promotion.gates import Refit

GATE = "determinism"


@dataclass(frozen=True, slots=True)
class CohortFiles:
    """A cohort as files: the table and, where it has one, its mapping."""

    table: Path
    mapping: Path | None = None


def refitted(challenger: Contender, files: CohortFiles, progress: Progress = silent) -> Refit:
    """Fit the recipe of a version's run again on the files, if they are those it was trained on.

    Raises:
        CohortError, MappingError: the files cannot be used. RegistryError: the run does not say how it was made.
    """
    recipe = challenger.recipe
    cohort = read_cohort(files.table, files.mapping, index_visits=recipe.index_visits)
    trained_on = _digest(challenger)
    if cohort.digest != trained_on:
        return Refit(
            False,
            f"not checked: {cohort.name} is not the cohort that version {challenger.version.version} was trained "
            f"on (digest {trained_on[:12]}); give that with --trained-on",
        )
    progress("fitting the challenger's recipe again")
    made = fit(
        cohort, name=challenger.version.name, seed=recipe.seed, settings=recipe.settings, progress=progress
    ).contents
    with tempfile.TemporaryDirectory() as scratch:
        pack_id = write_pack(Path(scratch) / "pack", made)
    if pack_id == challenger.pack.id:
        return Refit(True, f"refitted, the same pack {pack_id[:12]}", checked=True)
    here = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    return Refit(False, f"refitted, another pack {pack_id[:12]} (made here with {here})", checked=True)


def checked_before(chain: Chain, challenger: Contender) -> Refit | None:
    """An earlier decision on the same pack for which the refit was done and was the same, if there is one.

    The decision stands in the chain, so it can be trusted as the chain can; a mere tag could be set by anyone.
    """
    for entry in reversed(chain.entries):
        decision = entry.decision
        if decision.to_pack == challenger.pack.id and any(v.gate == GATE and v.passed for v in decision.gates):
            told = f"refitted at decision {decision.number}, the same pack {decision.to_pack[:12]}"
            return Refit(True, told, checked=True)
    return None


def _digest(challenger: Contender) -> str:
    """Of the cohort a verified pack was trained on."""
    cohort = challenger.pack.card.get("cohort")
    return str(cohort.get("digest", "")) if isinstance(cohort, dict) else ""
