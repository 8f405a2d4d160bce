"""A challenger becomes champion through gates, or despite them with a reason; each decision is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.cohort import Cohort, CohortError, read_cohort
from training.progress import Progress, silent
from training.promotion import comparison_report
from training.promotion.champion import champion_of, made
from training.promotion.comparison import Comparison, compare
from training.promotion.contender import Contender, contender, contender_of, verified
from training.promotion.decision_chain import Chain, DecisionError
from training.promotion.decision_claim import settle
from training.promotion.decisions import Decision, Kind, Verdict
from training.promotion.gates import Evidence, Refit, read_bounds, verdicts
from training.promotion.refit import CohortFiles, checked_before, refitted
from training.registry import Refused, RegistryError, Version, version_of
from training.tracking import open_store, using_store


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision through gates, and the comparison behind it, if one could be made."""

    decision: Decision
    comparison: Comparison | None


def promote(
    cohort_files: CohortFiles,
    challenger: str,
    *,
    margin: float | None = None,
    override: str | None = None,
    trained_on: CohortFiles | None = None,
    tracking_uri: str | None = None,
    progress: Progress = silent,
) -> Judged:
    """Move the alias champion to a challenger if every gate holds; record the decision either way.

    Args:
        cohort_files: on which the two are compared.
        challenger: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        margin: of non-inferiority, a share of the champion's RMSE; that of gates.toml by default.
        override: a reason to promote despite gates that a reason can lift.
        trained_on: the challenger's training cohort, for the refit, where it is not the first.
        tracking_uri: the store. progress: told what is done.

    Raises:
        CohortError, MappingError: the files cannot be used. StoreError: the store or the registry does not have
            what is needed. Refused: the champion's pack does not verify.
        DecisionError: there is nothing to decide, or another decision was made meanwhile; nothing was moved.
    """
    if override is not None and not override.strip():
        raise DecisionError("override is empty; say in a few words why, it is kept for ever")
    cohort = read_cohort(cohort_files.table, cohort_files.mapping, progress=progress)
    uri = open_store(tracking_uri, make=False)
    with using_store(uri):
        after = version_of(challenger)
        chain = settle(after.name)
        before = champion_of(chain)
        if before.version == after.version:
            raise DecisionError(f"{after.name}: version {after.version} is the champion already; nothing to decide")
        champion = contender(before, uri)
        files = [each for each in (trained_on, cohort_files) if each is not None]
        evidence, run = _evidence(chain, champion, after, cohort, files, progress)
        gates = verdicts(evidence, read_bounds(margin))
        decision = replace(
            chain.next_decision(_kind(gates, override), before.version, after),
            reason=override or "",
            cohort=cohort.name,
            cohort_digest=cohort.digest,
            comparison_run=run,
            gates=gates,
        )
        return Judged(made(decision, before.version), evidence.comparison)


def _kind(gates: Sequence[Verdict], override: str | None) -> Kind:
    failed = [verdict for verdict in gates if not verdict.passed]
    if not failed:
        return "promotion"
    return "override" if override and all(verdict.liftable for verdict in failed) else "refusal"


def _evidence(
    chain: Chain,
    champion: Contender,
    after: Version,
    cohort: Cohort,
    files: Sequence[CohortFiles],
    progress: Progress,
) -> tuple[Evidence, str]:
    """What the gates look at, and the run in which the comparison is kept, if one could be made."""
    nothing = Refit(False, "not checked: the challenger cannot be had")
    found = Evidence(champion.pack, None, "", champion.identity, {}, None, "", nothing)
    try:
        pack = verified(after)
    except (RegistryError, Refused) as error:
        return replace(found, pack_problem=str(error), comparison_problem="the pack does not verify"), ""
    found = replace(found, pack=pack.pack, after=pack.identity)
    try:
        rival = contender_of(pack)
        found = replace(found, refit=_refit(chain, rival, files, progress))
        comparison = compare(cohort, champion, rival)
    except (CohortError, RegistryError) as error:
        return replace(found, comparison_problem=str(error)), ""
    progress(f"compared on {comparison.overall.patients} patients")
    return replace(found, comparison=comparison), comparison_report.log(comparison)


def _refit(chain: Chain, rival: Contender, files: Sequence[CohortFiles], progress: Progress) -> Refit:
    """An earlier refit that stands in the chain, or one of the files that are its training cohort."""
    done = checked_before(chain, rival)
    if done is not None:
        return done
    tried = []
    for each in files:
        tried.append(refitted(rival, each, progress))
        if tried[-1].checked:
            return tried[-1]
    return tried[0]
