"""Random records that are valid: what the property tests draw from."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from features.consistency import contradictions
from features.record import Measurement, PatientRecord, Visit
from features.vocabulary import Quantity, vocabulary
from tests.measured import COLUMNS

# A busy machine draws slowly; that is no fault of a test.
settings.register_profile("tregcast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tregcast")

WORDS = vocabulary()
OF_VISITS = [name for name, quantity in WORDS.quantities.items() if quantity.level == "visit"]
ITEMS = ("speech", "salivation", "swallowing", "handwriting", "cutting", "dressing", "turning", "walking", "stairs")
CLUSTERS = (  # measured together, they give another quantity
    ("cd4_count", "treg_pct_cd4"),
    ("neutrophils", "lymphocytes"),
    ("weight", "height"),
    tuple(f"alsfrs_{item}" for item in (*ITEMS, "dyspnea", "orthopnea", "ventilation")),
    tuple(f"alsfrs_{item}" for item in (*ITEMS, "breathing")),
    ("alsfrs_r_total",),
    ("alsfrs_total",),
)


def _measurement(quantity: Quantity, said: dict[str, str]) -> st.SearchStrategy[Measurement]:
    low, high = quantity.plausible
    values: st.SearchStrategy[float] = st.floats(low, high)
    if quantity.integer:
        values = st.integers(int(low), int(high)).map(float)
    comparators = st.none() if quantity.integer else st.sampled_from([None, None, None, "<", ">"])
    qualifiers = tuple((each.name, said[each.name]) for each in quantity.qualifiers)
    return st.builds(Measurement, values, comparators, st.just(qualifiers))


@st.composite
def _measurements(draw: st.DrawFn) -> dict[str, Measurement]:
    names = dict.fromkeys(draw(st.lists(st.sampled_from(OF_VISITS), max_size=4)))
    for cluster in draw(st.lists(st.sampled_from(CLUSTERS), max_size=2)):
        names.update(dict.fromkeys(cluster))
    said = {
        name: draw(st.sampled_from([COLUMNS[name], COLUMNS[name], *qualifier.values]))
        for name, qualifier in WORDS.qualifiers.items()
    }
    measured = {name: draw(_measurement(WORDS.quantities[name], said)) for name in names}
    for problem in contradictions("visit", measured):
        measured.pop(problem.field.removeprefix("visit."), None)
    return measured


@st.composite
def _visits(draw: st.DrawFn, after: float = -1.0, least: int = 1) -> tuple[Visit, ...]:
    """Visits in time order, later than a month; times in days, as dates give them, or in quarters of a month."""
    times = st.integers(0, 4000).map(lambda days: days / 30.4375) | st.integers(0, 480).map(lambda n: n / 4)
    months = sorted({month for month in draw(st.lists(times, min_size=least, max_size=4)) if month > after})
    riluzole = st.sampled_from([None, None, "yes", "no"])
    return tuple(Visit(month, draw(_measurements()), draw(riluzole)) for month in months)


@st.composite
def _records(draw: st.DrawFn) -> PatientRecord:
    categories: dict[str, str] = {}
    for name, category in WORDS.categories.items():
        value = draw(st.sampled_from([None, *category.values]))
        if value is not None and name != "riluzole":
            categories[name] = value
    visits = draw(_visits())
    return PatientRecord(
        visits=visits,
        categories=categories,
        age_years=draw(st.none() | st.integers(300, 900).map(lambda tenths: tenths / 10)),
        diagnostic_delay_months=draw(st.none() | st.floats(0, visits[-1].month)),
        reference=draw(st.none() | st.text("abc -/0123é", max_size=128)),
    )


@pytest.fixture(scope="session")
def records() -> st.SearchStrategy[PatientRecord]:
    return _records()


@pytest.fixture(scope="session")
def later_visits():
    """A strategy of visits after a month, perhaps none."""
    return lambda month: _visits(after=month, least=0)
