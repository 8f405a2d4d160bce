"""The values that labels may have: closed sets, so that no caller can add a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from model.pack import RefusalCode

OTHER = "other"  # a code that is on no list; the tests find it
NO_ROUTE = "none"
ENDPOINTS: Mapping[str, str] = {"/v1/predict": "predict", "/v1/predict/batch": "batch", "/v1/whatif": "whatif"}
REASONS = (
    "far_outside_training_range",
    "functional_score_too_old",
    "invasive_ventilation",
    "no_functional_score",
    "score_near_its_end",
    "too_little_to_go_on",
    "unlike_training_cohort",
)
CAUTIONS = (
    "approximate_age",
    "approximate_onset",
    "beyond_limit",
    "change_over_short_span",
    "diagnosis_after_visit",
    "earlier_not_used",
    "implausible_change",
    "limit_not_in_change",
    "measured_unknown_way",
    "missing_input",
    "never_missing_in_training",
    "not_an_input",
    "not_comparable",
    "outside_training_range",
    "stale_input",
)
RULES = (
    "bad_date",
    "bad_identifier",
    "before_onset",
    "comparator_not_allowed",
    "contradiction",
    "duplicate_key",
    "duplicate_visit",
    "empty_batch",
    "empty_history",
    "future_birth",
    "future_onset",
    "future_visit",
    "malformed_json",
    "missing_key",
    "missing_unit",
    "mixed_time",
    "not_finite",
    "not_whole",
    "out_of_range",
    "reference_pattern",
    "time_order",
    "too_large",
    "too_long",
    "too_many",
    "too_many_problems",
    "unknown_key",
    "unknown_unit",
    "unknown_value",
    "unprintable",
    "visit_time",
    "wrong_type",
)
REFUSED_CALLERS = (401, 403, 429)
SWAP_PROBLEMS: tuple[str, ...] = (*get_args(RefusalCode), "not_found", "fault")
