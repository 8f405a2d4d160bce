"""A Gaussian copula: normal scores with a given correlation, and the nearest matrix that can be one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMALLEST_EIGENVALUE = 1e-3
_STEPS = 500


@dataclass(frozen=True, slots=True, eq=False)
class GaussianCopula:
    """Jointly normal scores, each with mean 0 and SD 1.

    Attributes:
        names: of the columns.
        correlation: positive definite, shape (names, names).
        adjustment: greatest change of an entry that was needed to make ``correlation`` positive definite.
    """

    names: tuple[str, ...]
    correlation: Floats
    adjustment: float

    @classmethod
    def of(cls, names: tuple[str, ...], wanted: Floats) -> GaussianCopula:
        """The copula whose correlation is ``wanted``, or the nearest one that exists.

        Raises:
            ValueError: the matrix is not square, symmetric, with a diagonal of ones and one name for each row.

        >>> GaussianCopula.of(("a", "b"), np.array([[1.0, 0.5], [0.5, 1.0]])).adjustment
        0.0
        """
        if wanted.shape != (len(names), len(names)):
            raise ValueError(
                f"correlation of {len(names)} names has shape {wanted.shape}; one row a name is needed"
            )
        if not (np.array_equal(wanted, wanted.T) and np.all(np.diag(wanted) == 1.0)):
            raise ValueError("a correlation matrix is symmetric and has ones on its diagonal; this one is not")
        found = nearest_correlation(wanted)
        return cls(names, found, float(np.abs(found - wanted).max()))

    def draw(self, rows: int, generator: np.random.Generator) -> Floats:
        """Normal scores, shape (rows, names).

        >>> copula = GaussianCopula.of(("a", "b"), np.array([[1.0, 0.5], [0.5, 1.0]]))
        >>> copula.draw(3, np.random.default_rng(1)).shape
        (3, 2)
        """
        independent = generator.standard_normal((rows, len(self.names)))
        scores: Floats = independent @ np.linalg.cholesky(self.correlation).T
        return scores


def nearest_correlation(wanted: Floats) -> Floats:
    """The correlation matrix nearest to a symmetric one with ones on its diagonal, by alternating projections.

    A matrix that is positive definite already is returned as it is. Source: Higham 2002, 10.1093/imanum/22.3.329.

    >>> nearest_correlation(np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])).round(2).tolist()
    [[1.0, 0.5, -0.5], [0.5, 1.0, 0.5], [-0.5, 0.5, 1.0]]
    """
    if np.linalg.eigvalsh(wanted)[0] >= SMALLEST_EIGENVALUE:
        return wanted
    current, correction = wanted, np.zeros_like(wanted)
    for _ in range(_STEPS):
        shifted = current - correction
        values, vectors = np.linalg.eigh(shifted)
        positive = (vectors * np.maximum(values, 2 * SMALLEST_EIGENVALUE)) @ vectors.T
        correction = positive - shifted
        current = (positive + positive.T) / 2
        np.fill_diagonal(current, 1.0)
    if np.linalg.eigvalsh(current)[0] < SMALLEST_EIGENVALUE / 2:
        raise ValueError(f"no correlation matrix found near the one wanted within {_STEPS} steps")
    return current
