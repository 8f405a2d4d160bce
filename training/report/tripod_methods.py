"""What the pipeline says to the items of TRIPOD+AI up to the methods: every number is the report's."""

from __future__ import annotations

from training.evaluation import MODEL
from training.examples import FEWEST_MEASURED, FEWEST_SITES, LEAST_SHARE
from training.fit import FEWEST_PATIENTS
from training.outcome import HORIZON_MONTHS, SHORTEST_SPAN_MONTHS
from training.paired import LEVEL
from training.report.report import Report
from training.report.tripod_results import coverage_of, flow, performance
from training.report.wording import unit_words
from training.subgroups import TOO_SMALL


def nothing(report: Report) -> str:
    """Nothing: only people can say it."""
    del report
    return ""


def no_person(report: Report) -> str:
    """For a simulated cohort: there is nobody of whom it could be asked."""
    return "Not applicable: the cohort is simulated, no person took part." if report.card.simulated else ""


def title(report: Report) -> str:
    """Item 1."""
    card = report.card
    return (
        f"Development and internal evaluation of a model that predicts how fast people with ALS progress "
        f"({card.scale} points lost per month over {HORIZON_MONTHS:g} months), on "
        f"{_simulated(report)}{card.cohort}"
    )


def abstract(report: Report) -> str:
    """Item 2."""
    card = report.card
    return (
        f"{card.intended_use} Data: {_simulated(report)}{card.cohort}, {flow(report)} Outcome: "
        f"{card.definition}. "
        f"Evaluation: {card.method}. {performance(report)} {card.statement}"
    )


def context(report: Report) -> str:
    """Item 3a."""
    return f"{report.card.intended_use} " + " ".join(text for text in report.card.limits if "evidence" in text)


def population(report: Report) -> str:
    """Item 3b."""
    found = {each.column: each for each in report.markers}
    told = []
    for column in ("age_years", "months_since_onset"):
        each = found.get(column)
        if each is not None and each.median is not None:
            low, high, unit = each.lower_quartile, each.upper_quartile, unit_words(each.unit)
            told.append(f"{each.label.lower()} {each.median:.0f} (middle half {low:.0f} to {high:.0f} {unit})")
    return (
        f"{report.card.intended_use} People with ALS like those of the cohort (medians: "
        f"{'; '.join(told)}); a patient "
        "unlike them is not answered."
    )


def objectives(report: Report) -> str:
    """Item 4."""
    return (
        "To develop the model and to evaluate it internally, with the uncertainty of each forecast, "
        "beside simpler "
        f"forecasts ({', '.join(name for name in report.accuracy if name != MODEL)}). No evaluation "
        "on a second cohort is part of this report."
    )


def sources(report: Report) -> str:
    """Item 5a: nothing, where the cohort does not say."""
    said = report.card.provenance
    return "" if said.startswith("not stated") else f"{report.card.cohort}: {said}"


def eligibility(report: Report) -> str:
    """Item 6b."""
    why = "; ".join(f"{reason} ({count})" for reason, count in report.flow.why_patients) or "none was"
    return (
        "Every patient in the file whose record holds no contradiction or impossible value (left "
        f"out: {why}) and who "
        "has an outcome after at least one visit: a score at that visit and another at least "
        f"{SHORTEST_SPAN_MONTHS:g} "
        f"months later, within {HORIZON_MONTHS:g} months."
    )


def treatments(report: Report) -> str:
    """Item 6c."""
    taken = next((each.share for each in report.markers if each.column == "riluzole_yes"), None)
    if taken is None:
        return "The cohort records no treatment; none is a predictor."
    return (
        f"Riluzole, by {taken:.0%} of the patients of whom it is known, at their first index visit; a "
        "predictor like "
        "any other, and no evidence of what treatment would change. Other treatments are not recorded."
    )


def preparation(report: Report) -> str:
    """Item 7."""
    return (
        f"Units are converted to one per quantity; values outside plausible ranges and records that contradict "
        f"themselves leave their patient out ({report.flow.patients_excluded} of "
        f"{report.flow.patients}), the same "
        "for all patients; nothing is imputed before fitting."
    )


def outcome(report: Report) -> str:
    """Item 8a."""
    card = report.card
    return (
        f"{card.definition.capitalize()}; {card.scale}, {card.unit}. Mean {card.mean:.3f}, SD "
        f"{card.sd:.3f}; mean "
        f"standard error {card.mean_standard_error:.3f}, from a noise of one score of SD "
        f"{card.noise_sd_of_one_score:g} points. The same for all patients."
    )


def predictors(report: Report) -> str:
    """Item 9a."""
    return (
        f"{len(report.importance)} features: every quantity and category of the vocabulary, last "
        "value and change per "
        f"month, that at least {FEWEST_MEASURED} index visits and {LEAST_SHARE:.0%} of them have and "
        "that varies. "
        "None was chosen by its relation with the outcome."
    )


def definitions(report: Report) -> str:
    """Item 9b."""
    del report
    return (
        "Each is defined, with its unit, in the vocabulary (`tregcast vocabulary`), and measured at "
        "the index visit or "
        "before it; nothing that came later is seen."
    )


def sample_size(report: Report) -> str:
    """Item 10."""
    flow_, features = report.flow, len(report.importance)
    return (
        f"All eligible patients were used: {flow_.patients_with_outcome} "
        f"({flow_.patients_with_outcome / features:.1f} "
        f"a feature) with {flow_.examples} index visits. The least that is fitted is "
        f"{FEWEST_PATIENTS} patients. What "
        f"this number leaves open is in the {LEVEL:.0%} intervals."
    )


def missing(report: Report) -> str:
    """Item 11."""
    lacking = sum(each.share_of_patients < 1.0 for each in report.markers)
    return (
        f"{lacking} of {len(report.markers)} quantities and properties are missing in some or all "
        "patients. Nobody is "
        "left out for a missing predictor: trees send it its own way, the copula conditions on what "
        "was measured."
    )


def use_of_data(report: Report) -> str:
    """Item 12a."""
    whole = report.origin.grouped_by
    return f"{report.card.method}: every forecast judged here is by a model that never saw its {whole}."


def handling(report: Report) -> str:
    """Item 12b."""
    set_ = sum(each.direction != "not set" for each in report.importance)
    return (
        "Numbers stay numbers (no cut points): trees take them as they are, the copula by rank. "
        f"{set_} of {len(report.importance)} features are held to a direction that biology gives."
    )


def model(report: Report) -> str:
    """Item 12c."""
    settings = ", ".join(f"{name} {value:g}" for name, value in report.origin.settings)
    return (
        "Monotone boosted trees and a Gaussian-copula regression, weighted by cross-fitting, with a "
        "model of the "
        "spread and conformal intervals; apart for first visits and for patients seen before, where "
        "there are enough. "
        f"The whole of it is repeated in each fold. Settings: {settings}; seed {report.origin.seed}."
    )


def clusters(report: Report) -> str:
    """Item 12d."""
    named = f"{report.flow.sites} sites are named" if report.flow.sites else "No site is named"
    whole = report.origin.grouped_by
    return f"{named}; folds keep each {whole} whole (each site, where there are at least {FEWEST_SITES})."


def measures(report: Report) -> str:
    """Item 12e."""
    return (
        "RMSE, MAE, R2 and correlation of the rate; coverage, width and interval score (Winkler) of the "
        f"{report.card.coverage:.0%} interval; calibration slope, intercept and plot. {LEVEL:.0%} "
        "intervals from "
        f"{report.origin.resamples} bootstrap samples of patients."
    )


def updating(report: Report) -> str:
    """Item 12f."""
    del report
    return "None: the model was not changed or recalibrated after its evaluation."


def computed(report: Report) -> str:
    """Item 12g."""
    return (
        "By fitting the whole model on the other folds and asking it for the rate and its interval; "
        "the final model is "
        f"fitted on all patients and answers from pack {report.origin.pack_id[:12]}."
    )


def imbalance(report: Report) -> str:
    """Item 13."""
    told = ", ".join(f"{band} {share:.0%}" for band, share in report.observed_bands)
    return f"The outcome is a number, so nothing was resampled or weighted. Observed rates: {told} of index visits."


def fairness(report: Report) -> str:
    """Item 14."""
    judged = [group for group in report.by_group if group.figures is not None]
    small = [group.name for group in report.by_group if group.figures is None]
    told = (
        f"Accuracy, coverage and bias are shown in {len(judged)} groups by sex, age, onset, gene, "
        "treatment and site; "
        "no step corrects for a group."
    )
    if judged:
        low = min(judged, key=coverage_of)
        told += f" The lowest coverage is {coverage_of(low):.3f} ({low.name})."
    return told + (f" Too small to judge (under {TOO_SMALL} patients): {', '.join(small)}." if small else "")


def output(report: Report) -> str:
    """Item 15."""
    return (
        f"The rate ({report.card.unit}), its {report.card.coverage:.0%} interval and quantiles, the "
        "probabilities of "
        "slow, intermediate and fast (limits 0.5 and 1.0 points/month), and each feature's contribution."
    )


def differences(report: Report) -> str:
    """Item 16."""
    del report
    return "None: folds of one cohort, with the same eligibility, outcome and predictors."


def _simulated(report: Report) -> str:
    return "the SIMULATED cohort " if report.card.simulated else ""
