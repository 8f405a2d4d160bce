"""What the pipeline says to the items of TRIPOD+AI from sharing to the discussion: every number is the report's."""

from __future__ import annotations

from importlib.metadata import metadata

from training.evaluation import MODEL
from training.report.report import Report
from training.report.subgroup_figures import Group
from training.report.wording import changed, estimated
from training.subgroups import TOO_SMALL

RATE = "points/month"


def data_sharing(report: Report) -> str:
    """Item 18e: a simulated cohort can be drawn by anybody."""
    if not report.card.simulated:
        return ""
    return f"The cohort is simulated and can be drawn by anybody: {report.card.provenance}."


def code_sharing(report: Report) -> str:
    """Item 18f."""
    licence = metadata("tregcast")["License-Expression"]
    commit = f", commit {report.origin.commit}" if report.origin.commit else ""
    return f"{report.origin.made_by}{commit}; licence {licence}."


def flow(report: Report) -> str:
    """Item 20a."""
    found = report.flow
    return (
        f"{found.rows} rows of {found.patients} patients: {found.patients_excluded} excluded, "
        f"{found.patients_without_outcome} without an outcome, {found.patients_with_outcome} with one, in "
        f"{found.examples} index visits; {found.deaths} deaths recorded."
    )


def characteristics(report: Report) -> str:
    """Item 20b."""
    measured = sum(each.share_of_patients > 0 for each in report.markers)
    return f"The table shows who has which of {measured} quantities and properties, with medians and quartiles."


def compared(report: Report) -> str:
    """Item 20c."""
    del report
    return "One cohort serves both, in folds drawn at random; there is no second one to compare."


def numbers(report: Report) -> str:
    """Item 21."""
    found = report.flow
    return (
        f"{found.patients_with_outcome} patients with {found.examples} outcomes, in the fit and in the evaluation."
    )


def full_model(report: Report) -> str:
    """Item 22."""
    return (
        f"Pack {report.origin.pack_id} of {report.origin.name} holds all of it (trees, copula, "
        "residuals) as numbers "
        "in files; `tregcast pull` fetches it, `tregcast predict` answers from it."
    )


def performance(report: Report) -> str:
    """Item 23a."""
    found, line = report.accuracy[MODEL], report.calibration
    return (
        f"RMSE {estimated(found['rmse'])} {RATE}, R2 {estimated(found['r2'])}; the "
        f"{report.card.coverage:.0%} interval covers "
        f"{estimated(found['coverage'])} with a mean width of {estimated(found['interval_width'])} "
        f"{RATE}; calibration slope "
        f"{estimated(line.slope)}, intercept {estimated(line.intercept)}."
    )


def by_site(report: Report) -> str:
    """Item 23b."""
    sites = [group for group in report.by_group if group.name.startswith("site: ") and group.figures is not None]
    if not sites:
        return (
            f"No site is named, or none has {TOO_SMALL} patients: nothing can be said of differences between sites."
        )
    low, high = min(sites, key=rmse_of), max(sites, key=rmse_of)
    return (
        f"RMSE from {rmse_of(low):.3f} ({low.name}) to {rmse_of(high):.3f} ({high.name}), coverage from "
        f"{min(map(coverage_of, sites)):.3f} to {max(map(coverage_of, sites)):.3f}, in {len(sites)} sites."
    )


def update_result(report: Report) -> str:
    """Item 24."""
    if report.changes is None:
        return "No model was updated: there is no champion before this version."
    return f"A new fit after the champion before it, {report.changes.champion}; what differs is in the table."


def interpretation(report: Report) -> str:
    """Item 25."""
    gain, band = report.gain, report.calibration.slope
    clear = "more accurate than" if gain.rmse.upper < 0 else "not clearly more accurate than"
    fitting = (
        "The calibration slope does not differ clearly from 1"
        if band.lower is not None and band.upper is not None and band.lower <= 1.0 <= band.upper
        else "The calibration slope differs from 1"
    )
    return (
        f"In this cohort the model is {clear} {gain.baseline}, the better of the simpler forecasts: "
        "its RMSE differs "
        f"by {changed(gain.rmse)} and its interval score by {changed(gain.interval_score)} {RATE}. {fitting}. "
        f"{report.card.statement}"
    )


def limitations(report: Report) -> str:
    """Item 26."""
    return " ".join(report.card.limits)


def poor_input(report: Report) -> str:
    """Item 27a."""
    del report
    return (
        "A record with an impossible value or a missing unit is rejected with every reason; a "
        "patient without a score, "
        "or unlike the cohort, is not answered; a marker that is missing, old or at a limit brings a caution."
    )


def coverage_of(group: Group) -> float:
    """The coverage of a group that has figures."""
    return 0.0 if group.figures is None or group.figures.coverage.value is None else group.figures.coverage.value


def rmse_of(group: Group) -> float:
    """The RMSE of a group that has figures, points/month."""
    return 0.0 if group.figures is None or group.figures.rmse.value is None else group.figures.rmse.value
