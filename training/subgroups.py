"""The groups of patients in which a model is judged on its own: by sex, age, onset, site, gene and treatment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.record import PatientRecord
from features.vocabulary import vocabulary
from model.distribution import band_of
from model.predictor import BANDS
from training.cohort import Cohort
from training.examples import Examples

Mask = NDArray[np.bool_]

TOO_SMALL = 20  # patients; a group with fewer is not judged
CATEGORIES = {"sex": "sex", "onset": "onset_site", "C9orf72": "c9orf72", "riluzole": "riluzole"}
"""What a group is called, and the category it is made of."""
YOUNG, OLD = 50.0, 65.0  # years at the index visit
BANDS_OF_AGE = ("under 50", "50 to 65", "over 65")


def subgroups(examples: Examples, cohort: Cohort) -> dict[str, Mask]:
    """Each group that has anybody in it, by name ("sex: female", "age: under 50", "site: A"), (n,) over examples.

    A patient of whom something is not known is in no group of it. One whose age passes a limit between visits is in
    both groups, with the visits that belong to each.
    """
    told = [_told(example.record, example.site) for example in cohort.examples]
    if len(told) != len(examples.y):
        raise ValueError(f"{len(examples.y)} examples are not those of a cohort with {len(told)}")
    found = {name: np.array([name in names for names in told], np.bool_) for name in _names(told)}
    return {name: mask for name, mask in found.items() if mask.any()}


def predicted_bands(rates: NDArray[np.float64]) -> dict[str, Mask]:
    """Index visits by the band of a predicted rate, (n,) points/month: slow, intermediate, fast.

    >>> {band: mask.tolist() for band, mask in predicted_bands(np.array([0.1, 2.0])).items()}
    {'slow': [True, False], 'intermediate': [False, False], 'fast': [False, True]}
    """
    return dict(zip(BANDS, band_of(rates)[None, :] == np.arange(len(BANDS))[:, None], strict=True))


def _names(told: list[set[str]]) -> list[str]:
    """Every name in the order of a table: categories as the vocabulary has them, ages upwards, sites by name."""
    words = vocabulary().categories
    names = [f"{name}: {value}" for name, of in CATEGORIES.items() for value in words[of].values]
    names += [f"age: {band}" for band in BANDS_OF_AGE]
    return [*names, *sorted({name for each in told for name in each if name.startswith("site: ")})]


def _told(record: PatientRecord, site: str | None) -> set[str]:
    """The names of the groups that a record belongs to."""
    categories = dict(record.categories)
    for visit in record.visits:
        if visit.riluzole is not None:
            categories["riluzole"] = visit.riluzole
    names = {f"{name}: {categories[of]}" for name, of in CATEGORIES.items() if of in categories}
    if record.age_years is not None:
        names.add(f"age: {age_band(record.age_years)}")
    if site is not None:
        names.add(f"site: {site}")
    return names


def age_band(years: float) -> str:
    """The band of an age.

    >>> [age_band(years) for years in (49.9, 50.0, 65.0, 65.1)]
    ['under 50', '50 to 65', '50 to 65', 'over 65']
    """
    return BANDS_OF_AGE[(years >= YOUNG) + (years > OLD)]
