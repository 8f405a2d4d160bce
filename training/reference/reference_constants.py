"""The constants of the reference cohort, read from ``reference_cohort.toml`` and refused without a source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files

from training.reference.marginal import Marginal

ASSUMPTION = "assumption"
LATER_RATE, EARLIER_RATE = "later_rate", "earlier_rate"
TREG, CD4, LYMPHOCYTES = "treg", "cd4_count_per_ul", "lymphocytes_10e9_l"
Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Link:
    """A correlation on the normal-score scale, of values as measured.

    Attributes:
        correlation: in the middle of the passage between the phases, and over all patients.
        change: late phase minus early phase.
    """

    correlation: float
    change: float = 0.0

    def at(self, late: float) -> float:
        """The correlation at a weight of the late phase: 0 early, 1 late.

        >>> Link(-0.3, 0.2).at(0.0), Link(-0.3, 0.2).at(0.5)
        (-0.4, -0.3)
        """
        return self.correlation + (late - 0.5) * self.change

    def times(self, factor: float) -> Link:
        """A weaker link of the same course."""
        return Link(factor * self.correlation, factor * self.change)


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the table: a variable of the patient, or of the visit where it has an ``assay_cv``."""

    name: str
    group: str | None
    panel: str
    marginals: Mapping[str, Marginal]  # by sex, or under "any"; empty where it is computed from others
    rate: Link  # with the log rate to come
    baseline: float  # share of patients who have it at enrolment
    follow_up: float  # share of the other visits at which it is taken
    assay_cv: float | None
    limit: float | None  # of detection, canonical units
    lacking: float  # share of patients who have none of the substance; needs a limit
    decimals: int

    @property
    def stability(self) -> float:
        """Share of the variance as measured that lasts within a patient; the rest is new at each visit.

        Raises:
            ValueError: the noise leaves less than a quarter.
        """
        if self.assay_cv is None:
            return 1.0
        share = min(marginal.stability(self.assay_cv) for marginal in self.marginals.values())
        if share < 0.25:
            raise ValueError(f"{self.name}: assay cv {self.assay_cv} is too great for the spread of its marginal")
        return share


@dataclass(frozen=True, slots=True)
class Course:
    """How disease and visits go: see ``[course]`` of the table for units and sources."""

    score_noise_sd: float
    smallest_rate: float
    highest_rate: float
    largest_loss: float
    phase_middle_months: float
    phase_log_width: float
    marker_share_of_earlier_rate: float
    largest_t_cell_share: float
    visit_jitter_sd: float
    earlier_visit_share: float
    missed_visit_share: float
    items_share: float
    panel_concordance: float
    fvc_per_point: float
    weight_pct_per_point: float
    death_hazard: float
    death_per_log_rate: float
    death_doubling_points: float
    death_reference_score: float
    dropout_hazard: float
    dropout_per_log_rate: float
    death_known_after_dropout: float
    item_scatter_sd: float
    item_onset_lead: float
    item_respiratory_lag: float


@dataclass(frozen=True, slots=True)
class Constants:
    """The whole table."""

    course: Course
    months: tuple[float, ...]  # planned visits, months from enrolment
    variables: Mapping[str, Variable]  # both rates first
    groups: Mapping[str, Link]
    pairs: Mapping[frozenset[str], Link]
    shifts: Mapping[str, float]  # factor of a site's laboratory, by site
    shifted: frozenset[str]  # variables that it acts on


@cache
def reference_constants() -> Constants:
    """The table that the project ships.

    >>> reference_constants().variables["treg_pct_cd4"].rate.correlation
    -0.301
    """
    return parse_constants(
        tomllib.loads(files("training.reference").joinpath("reference_cohort.toml").read_text("utf-8"))
    )


def without_treg_effect(constants: Constants) -> Constants:
    """The same, but for what Tregs have to do with the rate: the contrary evidence (Cui 2022, n = 288).

    The Treg variables are then independent of both rates and of all other markers. A CD4+ count, part of the Treg
    count, says of the rate to come only what the lymphocytes that it is a part of say already.

    >>> without_treg_effect(reference_constants()).variables["treg_suppression_pct"].rate
    Link(correlation=0.0, change=0.0)
    """
    variables = {
        name: replace(variable, rate=Link(0.0)) if variable.group == TREG else variable
        for name, variable in constants.variables.items()
    }
    part = constants.pairs[frozenset((CD4, LYMPHOCYTES))].correlation
    variables[CD4] = replace(variables[CD4], rate=variables[LYMPHOCYTES].rate.times(part))
    return replace(constants, variables=variables)


def parse_constants(table: Table) -> Constants:
    """Constants of a table that is shaped like ``reference_cohort.toml``.

    Raises:
        ValueError: a row has no source, or one that neither cites the table's list nor opens with "assumption: ".
        KeyError, TypeError: a row lacks a field or holds a wrong one.
    """
    problems = unsourced(table)
    if problems:
        raise ValueError("reference cohort: " + "; ".join(problems))
    course = {name: _number(_sub(row)["value"]) for name, row in _sub(table["course"]).items()}
    laboratory = _sub(table["laboratory"])
    rows = {**_sub(table["plan"]), **_sub(table["variable"])}
    return Constants(
        course=Course(**{field.name: course[field.name] for field in fields(Course)}),
        months=tuple(_number(month) for month in _items(_sub(table["schedule"])["months"])),
        variables={name: _variable(name, _sub(row)) for name, row in rows.items()},
        groups={name: _link(_sub(row)) for name, row in _sub(table["group"]).items()},
        pairs={
            frozenset(str(name) for name in _items(_sub(row)["of"])): _link(_sub(row))
            for row in _items(table["pair"])
        },
        shifts={site: _number(_sub(row)["factor"]) for site, row in _sub(laboratory["site"]).items()},
        shifted=frozenset(str(name) for name in _items(laboratory["assays"])),
    )


def unsourced(table: Table, where: str = "") -> list[str]:
    """What is wrong with the sources of a table: every row that holds a number must say where it comes from.

    >>> unsourced({"citations": {"Liu 2015": ""}, "a": {"value": 1.0, "source": "I think"}})
    ['a.source = \\'I think\\' must open with a citation of the list, or "assumption: "; add the reason']
    """
    known = (ASSUMPTION, *_sub(table["citations"]))
    return [
        f'{path}.source = {source!r} must open with a citation of the list, or "assumption: "; add the reason'
        for path, source in _sources(table, where)
        if not any(source.startswith(f"{opening}: ") for opening in known)
    ]


def _sources(table: Table, where: str) -> list[tuple[str, str]]:
    found = []
    if any(_is_constant(key, value) for key, value in table.items()):
        found.append((where, str(table.get("source", ""))))
    for key, value in table.items():
        rows = value if isinstance(value, list) else [value]
        for row in rows:
            if isinstance(row, dict):
                found += _sources(row, f"{where}.{key}" if where else key)
    return found


def _is_constant(key: str, value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return key != "decimals" and isinstance(first, (int, float))


def _variable(name: str, row: Table) -> Variable:
    marginal = _sub(row.get("marginal", {}))
    spread = {"any": marginal} if "kind" in marginal else {sex: _sub(each) for sex, each in marginal.items()}
    available, detection = _sub(row.get("available", {})), _sub(row.get("detection", {}))
    assay, rate = _sub(row.get("assay", {})), _sub(row.get("rate", {}))
    return Variable(
        name=name,
        group=None if row.get("group") is None else str(row["group"]),
        panel=str(row.get("panel", name)),
        marginals={sex: Marginal.parse(each) for sex, each in spread.items()},
        rate=Link(1.0) if name == LATER_RATE else _link(rate, row) if rate else Link(0.0),
        baseline=_number(available.get("baseline", 1.0)),
        follow_up=_number(available.get("follow_up", 1.0)),
        assay_cv=_number(assay["cv"]) if assay else None,
        limit=_number(detection["limit"]) if detection else None,
        lacking=_number(_sub(row.get("lacking", {})).get("share", 0.0)),
        decimals=int(_number(row.get("decimals", 3))),
    )


def _link(row: Table, beside: Table | None = None) -> Link:
    """The correlation of a row, and the change between phases that stands in it, or beside it."""
    phase = _sub((row if beside is None else beside).get("phase", {}))
    return Link(_number(row["correlation"]), _number(phase.get("change", 0.0)))


def _sub(value: object) -> Table:
    if not isinstance(value, dict):
        raise TypeError(f"reference cohort: expected a table, found {value!r}")
    return value


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"reference cohort: expected a list, found {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"reference cohort: expected a number, found {value!r}")
    return float(value)
