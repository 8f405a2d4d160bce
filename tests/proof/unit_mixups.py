"""What becomes of a record in which one value stands in a wrong unit: over many simulated patients.

``python -m tests.proof.unit_mixups PACK --patients 300`` prints the table.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

from features.compose import compose
from features.problem import Rejected
from features.table import patients
from features.units import to_canonical
from features.vocabulary import Quantity, vocabulary
from model.answer import Abstention
from model.pack import load_pack
from model.predictor import Predictor
from service.answering import answer_body

FACTORS = {"x10": 10.0, "/10": 0.1, "x100": 100.0, "/100": 0.01, "x1000": 1000.0, "/1000": 0.001}
T_CELLS = ("treg_count", "cd4_count", "treg_pct_cd4")


@dataclass
class Fates:
    """By quantity and mix-up: how often it was stopped (by which rule), cautioned of by name, or unseen."""

    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def share(self, quantity: str, mixup: str, *fates: str) -> float:
        """Of its records, those that met one of these fates; all that were stopped are ``stopped``."""
        found = self.counts[quantity, mixup]
        return sum(n for fate, n in found.items() if fate.split(":")[0] in fates) / max(1, sum(found.values()))


def simulated_records(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Records of simulated patients at their last visits, in canonical units."""
    from training.reference.reference_cohort import simulate

    frame = simulate(count, seed)
    rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    for patient in patients(rows):
        if patient.record is not None:
            yield json.loads(json.dumps(compose(patient.record)))


def fate(predictor: Predictor, record: dict[str, Any], column: str) -> str:
    """``stopped:`` and the first code, ``cautioned:`` where a caution names the column, or ``unseen``."""
    try:
        answer = answer_body(predictor, json.dumps(record).encode(), today=date.max)
    except Rejected as error:
        return f"stopped:{error.problems[0].code}"
    if isinstance(answer, Abstention):
        return f"stopped:{answer.reasons[0].code}"
    columns = (column, f"{column}_change_per_month")
    named = [c.code for c in answer.cautions if any(each in c.features for each in columns)]
    odd = [code for code in named if code in ("outside_training_range", "beyond_limit")]
    return f"cautioned:{odd[0]}" if odd else "unseen"


def mixups(quantity: Quantity) -> dict[str, float]:
    """What a value may be wrong by: powers of ten, and a unit of the vocabulary taken for the canonical one."""
    found = dict(FACTORS)
    for code in quantity.units:
        factor = to_canonical(quantity, 1.0, code)
        if not any(
            abs(factor / each - 1) < 1e-9 or abs(factor * each - 1) < 1e-9 for each in (1.0, *FACTORS.values())
        ):
            found[f"{code} sent as {quantity.unit}"] = 1.0 / factor
            found[f"{quantity.unit} sent as {code}"] = factor
    return found


def unit_fates(predictor: Predictor, records: list[dict[str, Any]]) -> Fates:
    """Every quantity that the model reads, at the index visit, wrong by every mix-up; and unspoilt, as ``none``."""
    fates = Fates()
    columns = {feature.quantity for feature in predictor.matrix.features}
    for record in records:
        if fate(predictor, record, "").startswith("stopped"):
            fates.counts["all", "none"]["stopped"] += 1
            continue
        fates.counts["all", "none"]["answered"] += 1
        for quantity in vocabulary().quantities.values():
            if quantity.name not in columns or quantity.integer:
                continue
            for name, factor in mixups(quantity).items():
                spoilt = deepcopy(record)
                place = _place(spoilt, quantity)
                if place is None or place["value"] == 0:
                    break
                place["value"] *= factor
                fates.counts[quantity.name, name][fate(predictor, spoilt, quantity.column)] += 1
    return fates


def swap_fates(predictor: Predictor, records: list[dict[str, Any]]) -> Fates:
    """Treg count, CD4 count and Treg share of the index visit in each wrong order, where all three were sent."""
    fates = Fates()
    for record in records:
        if any(_place(record, vocabulary().quantities[name]) is None for name in T_CELLS):
            continue
        for order in list(permutations(range(3)))[1:]:
            spoilt = deepcopy(record)
            places = [_place(spoilt, vocabulary().quantities[name]) or {} for name in T_CELLS]
            values = [place["value"] for place in places]
            for place, at in zip(places, order, strict=True):
                place["value"] = values[at]
            fates.counts["T cells", str(order)][fate(predictor, spoilt, "treg_count_per_ul")] += 1
    return fates


def _place(record: dict[str, Any], quantity: Quantity) -> dict[str, Any] | None:
    found: dict[str, Any] | None
    if quantity.name == "months_since_onset":
        found = record["visits"][-1]["months_since_onset"] if len(record["visits"]) == 1 else None
    elif quantity.level == "patient":
        found = record.get(quantity.name)
    else:
        found = record["visits"][-1]["measurements"].get(quantity.name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--patients", type=int, default=300)
    said = parser.parse_args()
    predictor, records = load_pack(said.pack).predictor, list(simulated_records(said.patients, 11))
    for fates in (unit_fates(predictor, records), swap_fates(predictor, records)):
        for (quantity, mixup), counts in fates.counts.items():
            rates = [fates.share(quantity, mixup, each) for each in ("stopped", "cautioned", "unseen")]
            print(
                f"| {quantity} | {mixup} | {sum(counts.values())} |", *(f"{rate:.0%} |" for rate in rates), end=" "
            )
            print(
                ", ".join(f"{code.partition(':')[2]} {n}" for code, n in counts.most_common(3) if ":" in code), "|"
            )


if __name__ == "__main__":
    main()
