"""Answers of the product beside those of the evaluator: what differs, and by how much at the most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Above these, in points/month (or probability), two answers differ. A rate differs at all only where one of its
# terms is half a unit from two whole ones, and sums of floats fall to different sides.
SAME_RATE = 1e-6  # a coefficient of the copula on the other side of half of 2**-24
SAME_SHARE = 2e-6
SAME_VALUE = 1e-9  # relative: a change per month is a quotient of sums


@dataclass
class Comparison:
    """Counts of what was compared."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    same_bits: int = 0
    rates: int = 0
    rates_same_bits: int = 0
    largest: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def add(self, number: int, product: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Compare two answers to record ``number``."""
        self.outcomes[product["outcome"]] += 1
        if product["outcome"] != own["outcome"] or product.get("reference") != own["reference"]:
            said = {key: product.get(key) for key in ("outcome", "reference", "reasons", "problems")}
            self._say(number, "outcome", said, {key: own.get(key) for key in ("outcome", "reasons", "cautions")})
        elif product["outcome"] == "abstained":
            codes = [reason["code"] for reason in product["reasons"]]
            self.codes.update(codes)
            if codes != own["reasons"]:
                self._say(number, "reasons", codes, own["reasons"])
        else:
            self._numbers(number, product, own)

    def join(self, other: Comparison) -> None:
        """Add what another one has counted."""
        self.outcomes += other.outcomes
        self.codes += other.codes
        self.numbers += other.numbers
        self.same_bits += other.same_bits
        self.rates += other.rates
        self.rates_same_bits += other.rates_same_bits
        for name, apart in other.largest.items():
            self.largest[name] = max(self.largest.get(name, 0.0), apart)
        self.differences += other.differences

    def _numbers(self, number: int, product: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        interval = product["prediction_interval"]
        self.rates += 1
        self.rates_same_bits += product["progression_rate"] == own["progression_rate"]
        self._near(number, "progression_rate", product["progression_rate"], own["progression_rate"], SAME_RATE)
        for name, found, wanted, most in (
            ("interval", [interval["lower"], interval["upper"]], own["interval"], SAME_RATE),
            ("quantiles", [each["rate"] for each in product["quantiles"]], own["quantiles"], SAME_RATE),
            (
                "bands",
                [product["band_probabilities"][b] for b in ("slow", "intermediate", "fast")],
                own["bands"],
                1e-12,
            ),
        ):
            for a, b in zip(found, wanted, strict=True):
                self._near(number, name, a, b, most)
        self._near(number, "base_value", product["base_value"], own["base_value"], SAME_SHARE)
        self._contributions(number, product, own["contributions"])
        cautions = [(each["code"], tuple(each["features"])) for each in product["cautions"]]
        self.codes.update(code for code, _ in cautions)
        if cautions != own["cautions"]:
            self._say(number, "cautions", cautions, own["cautions"])

    def _contributions(self, number: int, product: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        told = {each["feature"]: each for each in product["contributions"]}
        ordered = sorted(product["contributions"], key=lambda c: (-abs(c["points_per_month"]), c["feature"]))
        whole = math.fsum([product["base_value"], *(c["points_per_month"] for c in ordered)])
        if len(told) != len(ordered) or ordered != product["contributions"] or whole != product["progression_rate"]:
            self._say(number, "contributions", "order or sum", whole)
        for feature, (value, share) in own.items():
            found = told.pop(feature, {"points_per_month": 0.0, "value": value})
            self._near(number, "contribution", found["points_per_month"], share, SAME_SHARE)
            if (value is None) != (found["value"] is None):
                self._say(number, feature, found["value"], value)
            elif value is not None:
                self._near(number, "value", found["value"], value, SAME_VALUE * max(1.0, abs(value)))
        if told:
            self._say(number, "contributions of nothing", sorted(told), None)

    def _near(self, number: int, name: str, a: float, b: float, most: float) -> None:
        apart = abs(a - b)
        self.numbers += 1
        self.same_bits += a == b
        self.largest[name] = max(self.largest.get(name, 0.0), apart)
        if not apart <= most:
            self._say(number, name, a, b)

    def _say(self, number: int, what: str, product: object, own: object) -> None:
        self.differences.append(f"patient {number}: {what}: product {product!r}, evaluator {own!r}")
