"""A Gaussian copula whose correlations pass smoothly from those of one phase of disease to those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMALLEST_EIGENVALUE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class TwoPhaseCopula:
    """Normal scores with mean 0 and SD 1, jointly normal given the shared ones and the phase.

    The shared scores, and how each other score depends on them, are the same in both phases. So the phase may
    itself depend on the shared scores, and still every score has mean 0 and SD 1, and over all patients the
    correlation is that of the early phase times its mean weight, plus that of the late phase times its own.

    Attributes:
        names: of the columns, the shared ones first.
        shared: how many they are.
        early, late: correlations of the two phases, positive definite, shape (names, names).
    """

    names: tuple[str, ...]
    shared: int
    early: Floats
    late: Floats

    @classmethod
    def of(cls, names: tuple[str, ...], shared: int, early: Floats, late: Floats) -> TwoPhaseCopula:
        """The copula of two correlation matrices.

        Raises:
            ValueError: a matrix has the wrong shape, is no correlation matrix, or contradicts itself; or the two
                differ in what must be the same.

        >>> early, late = np.eye(2), np.array([[1.0, 0.5], [0.5, 1.0]])
        >>> TwoPhaseCopula.of(("a", "b"), 0, early, late).at(np.array([0.5]))[0].tolist()
        [[1.0, 0.25], [0.25, 1.0]]
        """
        for phase, wanted in (("early", early), ("late", late)):
            _check(phase, wanted, len(names))
        if not np.array_equal(early[:shared], late[:shared]):
            raise ValueError(f"correlations with {names[:shared]} must be the same in both phases")
        return cls(names, shared, early, late)

    def at(self, late: Floats) -> Floats:
        """Correlations at weights of the late phase, shape (patients,): shape (patients, names, names)."""
        weight = late[:, None, None]
        return (1.0 - weight) * self.early + weight * self.late

    def draw_shared(self, rows: int, generator: np.random.Generator) -> Floats:
        """Shared scores, shape (rows, shared)."""
        factor = np.linalg.cholesky(self.early[: self.shared, : self.shared])
        return np.asarray(generator.standard_normal((rows, self.shared)) @ factor.T, dtype=np.float64)

    def draw_rest(self, shared: Floats, late: Floats, generator: np.random.Generator) -> Floats:
        """The other scores, shape (rows, names - shared), given the shared ones and weights of the late phase.

        What the shared scores leave open is a part of each phase's own, by the roots of their weights: its
        covariance is then just the weighted mean of the two.

        >>> copula = TwoPhaseCopula.of(("a", "b", "c"), 1, np.eye(3), np.eye(3))
        >>> copula.draw_rest(np.zeros((4, 1)), np.ones(4), np.random.default_rng(1)).shape
        (4, 2)
        """
        one, other = slice(None, self.shared), slice(self.shared, None)
        slopes = np.linalg.solve(self.early[one, one], self.early[one, other])
        found = shared @ slopes
        for correlation, weight in ((self.early, 1.0 - late), (self.late, late)):
            open_part = correlation[other, other] - correlation[other, one] @ slopes
            independent = generator.standard_normal(found.shape)
            found += np.sqrt(weight)[:, None] * (independent @ np.linalg.cholesky(open_part).T)
        return np.asarray(found, dtype=np.float64)


def _check(phase: str, wanted: Floats, size: int) -> None:
    if wanted.shape != (size, size):
        raise ValueError(f"{phase}: correlation of {size} names has shape {wanted.shape}; one row a name is needed")
    if not (np.array_equal(wanted, wanted.T) and np.all(np.diag(wanted) == 1.0)):
        raise ValueError(
            f"{phase}: a correlation matrix is symmetric and has ones on its diagonal; this one is not"
        )
    smallest = float(np.linalg.eigvalsh(wanted)[0])
    if smallest < SMALLEST_EIGENVALUE:
        raise ValueError(
            f"{phase}: the correlations contradict each other (smallest eigenvalue {smallest:.4f}, needs "
            f"{SMALLEST_EIGENVALUE}); weaken a pair, a group or a change between the phases"
        )
