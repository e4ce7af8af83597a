"""A linear fit from sums, so that data of any size are read once."""

from __future__ import annotations

import numpy as np


class LeastSquaresError(ValueError):
    """Coefficients that cannot be fitted or read; the message says why."""


class NormalEquations:
    """Sums that a linear fit needs, so that no more than a day's pairs are ever in memory.

    Parameters
    ----------
    predictors : int
        Columns, without the intercept.

    Examples
    --------
    >>> sums = NormalEquations(1)
    >>> for x in (0.0, 1.0, 2.0):
    ...     sums.add(np.array([[x]]), np.array([3 + 2 * x]))
    >>> [round(float(c), 6) for c in sums.solve()[0]]
    [3.0, 2.0]
    """

    def __init__(self, predictors: int) -> None:
        size = predictors + 1
        self.square, self.product, self.target_square = np.zeros((size, size)), np.zeros(size), 0.0

    @property
    def count(self) -> int:
        """Pairs added."""
        return int(self.square[0, 0])

    def add(self, predictors: np.ndarray, target: np.ndarray) -> None:
        """Add pairs, (n, predictors) and (n,), all finite."""
        design = np.concatenate([np.ones((len(target), 1)), predictors.astype(np.float64)], axis=1)
        target = target.astype(np.float64)
        self.square += design.T @ design
        self.product += design.T @ target
        self.target_square += float(target @ target)

    def solve(self) -> tuple[np.ndarray, float]:
        """Intercept and coefficients, and the RMSE on the pairs; a predictor that never varies gets 0.

        Raises
        ------
        LeastSquaresError
            If there are fewer pairs than unknowns.
        """
        size = len(self.product)
        if self.count < size:
            raise LeastSquaresError(
                f"{self.count} pairs of cells and days cannot be fitted by {size} coefficients."
            )
        mean = self.square[0] / self.count
        centred = self.square - self.count * np.outer(mean, mean)
        spread = np.sqrt(np.maximum(np.diag(centred), 0))
        # below single precision of its own size a predictor is constant, and its mean belongs to the intercept
        varies = spread > 1e-6 * np.sqrt(np.diag(self.square))
        varies[0] = False
        scale = np.where(varies, spread, 1)
        kept = np.flatnonzero(varies)
        product = (self.product - self.product[0] * mean) / scale
        matrix = (centred / np.outer(scale, scale))[np.ix_(kept, kept)]
        solution = np.zeros(size)
        solution[kept] = np.linalg.lstsq(matrix, product[kept], rcond=1e-10)[0]
        coefficients = solution / scale
        coefficients[0] = (self.product[0] - coefficients[1:] @ self.square[0, 1:]) / self.count
        squares = (
            self.target_square - 2 * coefficients @ self.product + coefficients @ self.square @ coefficients
        )
        return coefficients, float(np.sqrt(np.maximum(squares, 0) / self.count))
