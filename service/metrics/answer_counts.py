"""What became of records, and what predictions look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import Metric

from features.vocabulary import vocabulary
from model.answer import Abstention, Answer, Prediction
from model.distribution import band_of
from model.predictor import BANDS
from service.audit.record import OUTCOMES, Outcome
from service.metrics.codes import CAUTIONS, ENDPOINTS, OTHER, REASONS, RULES
from service.metrics.counts import Counts, Distributions

RATES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)  # points/month; the bands' limits among them
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)  # points/month


class AnswerCounts:
    """Records by outcome, why there was no prediction, and how predictions are spread.

    What-ifs are left out of what predictions look like: a person who tries values is no patient more.
    """

    def __init__(self) -> None:
        known = [(endpoint, outcome) for endpoint in ENDPOINTS.values() for outcome in OUTCOMES]
        words = "Records by outcome; unavailable counts requests."
        self._outcomes = Counts("tregcast_answers", words, ["endpoint", "outcome"], known)
        self._reasons = _codes("tregcast_abstentions", "Records not answered, by reason.", "reason", REASONS)
        self._cautions = _codes("tregcast_cautions", "Predictions with a caution.", "code", CAUTIONS)
        self._rules = _codes("tregcast_rejections", "Rejected records by the rule they break.", "rule", RULES)
        self._lacking = Counts(
            "tregcast_missing_quantities",
            "Records understood that lack a quantity which the model takes.",
            ["quantity"],
            [(name,) for name in vocabulary().quantities],
        )
        words = "Predicted progression rates; positive is decline."
        self._rates = Distributions("tregcast_predicted_rate_points_per_month", words, RATES)
        words = "Widths of the prediction intervals."
        self._widths = Distributions("tregcast_interval_width_points_per_month", words, WIDTHS)
        words = "Predictions by the band of their rate."
        self._bands = Counts("tregcast_predicted_bands", words, ["band"], [(band,) for band in BANDS])

    def answered(
        self, endpoint: str, outcome: Outcome, codes: Sequence[str], answer: Answer | None, lacking: Sequence[str]
    ) -> None:
        """Count a record that is answered or rejected.

        Args:
            endpoint: one of `ENDPOINTS`. outcome: one of the five.
            codes: of its rules, reasons or cautions.
            answer: what was answered, if it was understood.
            lacking: the quantities that the model takes and the record has not.
        """
        self._outcomes.by[endpoint, outcome] += 1
        if answer is None:
            _add_codes(self._rules, codes)
            return
        _add_codes(self._reasons if isinstance(answer, Abstention) else self._cautions, codes)
        if endpoint == "whatif":
            return
        by = self._lacking.by
        for name in lacking:
            by[name,] += 1
        if isinstance(answer, Prediction):
            self._predicted(answer)

    def unavailable(self, endpoint: str) -> None:
        """Count a request that no model was there to answer."""
        self._outcomes.by[endpoint, "unavailable"] += 1

    def collect(self) -> Iterator[Metric]:
        """The series."""
        for counts in (self._outcomes, self._reasons, self._cautions, self._rules, self._lacking):
            yield from counts.collect()
        yield from self._rates.collect()
        yield from self._widths.collect()
        yield from self._bands.collect()

    def _predicted(self, answer: Prediction) -> None:
        rate, interval = answer.progression_rate, answer.prediction_interval
        self._rates.of().add(rate)
        self._widths.of().add(interval.upper - interval.lower)
        self._bands.by[BANDS[int(band_of(rate))],] += 1


def _codes(name: str, words: str, label: str, known: Sequence[str]) -> Counts:
    return Counts(name, words, [label], [(code,) for code in (*known, OTHER)])


def _add_codes(counts: Counts, codes: Sequence[str]) -> None:
    by = counts.by
    for code in codes:
        by[(code,) if (code,) in by else (OTHER,)] += 1
