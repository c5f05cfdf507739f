"""From a table to the matrix that a network is trained on."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.preprocessing import StandardScaler

ENCODINGS = ("standard", None)

# Rows at a time: the float64 intermediate never grows with the table.
_BLOCK_ROWS = 8192

# No row that a scaler was fitted on is farther than sqrt(n_rows) deviations from the
# mean, so this bound touches only rows to come, and keeps them finite in float32.
_MOST_DEVIATIONS = 1e6


class Standardizer:
    """Subtract the (weighted) mean of each column and divide by its deviation.

    Constant columns are only centred. The statistics are computed in float64 and the
    result is cast last, so that a column far from zero keeps its digits in float32.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        What is subtracted, and what it is divided by.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]

    def fit(
        self, X: NDArray[Any], sample_weight: NDArray[Any] | None = None
    ) -> "Standardizer":
        """Learn means and deviations."""
        scaler = StandardScaler().fit(X, sample_weight=sample_weight)
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        return self

    def transform(self, X: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
        """Return the standardised rows as a new C-ordered array."""
        out = np.empty(X.shape, dtype=dtype)
        for start in range(0, len(X), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            deviations = (X[block] - self.mean_) / self.scale_
            np.minimum(deviations, _MOST_DEVIATIONS, out=deviations)
            np.maximum(
                deviations, -_MOST_DEVIATIONS, out=out[block], casting="same_kind"
            )
        return out

    def fold(
        self, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a linear map of standardised rows as one of the rows themselves.

        Parameters
        ----------
        coef : ndarray of shape (n_outputs, n_features)
        intercept : ndarray of shape (n_outputs,)
        """
        coef = coef / self.scale_
        return coef, intercept - coef @ self.mean_

    def unfold(
        self, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Undo :meth:`fold`."""
        return coef * self.scale_, intercept + coef @ self.mean_


class PassThrough:
    """Leave the columns as they are, in the dtype that is asked for."""

    def fit(
        self, X: NDArray[Any], sample_weight: NDArray[Any] | None = None
    ) -> "PassThrough":
        """Do nothing."""
        return self

    def transform(self, X: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
        """Return X in ``dtype``, C-ordered."""
        return np.ascontiguousarray(X, dtype=dtype)

    def fold(
        self, coef: NDArray[Any], intercept: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the map as it is, in float64."""
        return coef.astype(np.float64), intercept.astype(np.float64)

    unfold = fold


Encoder = Standardizer | PassThrough


def fit_encoder(
    encoding: str | None, X: NDArray[Any], sample_weight: NDArray[Any] | None
) -> Encoder:
    """Return the encoder that ``encoding`` names, fitted."""
    encoder: Encoder = Standardizer() if encoding == "standard" else PassThrough()
    return encoder.fit(X, sample_weight)
