"""What a fitted teacher tells of its inside, in the form that a student learns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.sparse import hstack, issparse
from sklearn.preprocessing import OneHotEncoder

from sk_distill._sklearn import num_samples
from sk_distill.knowledge.inside import FirstLayer, features_of, first_layer_of
from sk_distill.knowledge.kinds import Features, Inquiry

# Components, and the choice of units, are learnt from so many rows at most.
_MOST_ROWS = 20_000

# A column-pivoted QR takes time in the square of the units.
_MOST_ROWS_OF_QR = 4_000


class Told(NamedTuple):
    """What a teacher tells of some rows, and of a transfer set.

    Attributes
    ----------
    hints : ndarray of shape (n_rows, n_hints) or None
        Its features, reduced, centred, of mean square 1.
    transfer_hints : ndarray of shape (n_transfer, n_hints) or None
        Those of the transfer rows.
    first_layer : ndarray of shape (n_rows, n_units) or None
        Units of its first layer before activation.
    """

    hints: NDArray[np.float32] | None = None
    transfer_hints: NDArray[np.float32] | None = None
    first_layer: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.int64]) -> Told:
        """Return that of some rows, with the whole transfer set."""
        return self._replace(
            hints=None if self.hints is None else self.hints[rows],
            first_layer=None if self.first_layer is None else self.first_layer[rows],
        )


NOTHING_TOLD = Told()


def tell(teacher: Any, X: Any, transfer_X: Any, inquiry: Inquiry) -> Told:
    """Ask a fitted teacher for what it knows beside probabilities.

    Parameters
    ----------
    teacher : classifier
        Fitted.
    X : table of n_rows rows
        Those that the student is fitted on.
    transfer_X : table of n_transfer rows or None
        The transfer set.
    inquiry : Inquiry
        What is wanted.
    """
    hints, transfer_hints, units = None, None, None
    if inquiry.features > 0:
        hints, transfer_hints = _hints(teacher, X, transfer_X, inquiry.of)
    if inquiry.weights > 0 and inquiry.n_units > 0:
        first = first_layer_of(teacher, X)
        units = first.units[:, choose_units(first, inquiry.n_units)].astype(np.float32)
    return Told(hints, transfer_hints, units)


def _hints(
    teacher: Any, X: Any, transfer_X: Any, of: Features
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the features of the rows and of the transfer rows, reduced alike."""
    parts = features_of(teacher, X, of.layer)
    if transfer_X is None:
        return reduce_features(parts, of.n_components, num_samples(X)), None
    more = features_of(teacher, transfer_X, of.layer)
    both = [np.vstack(pair) for pair in zip(parts, more, strict=True)]
    reduced = reduce_features(both, of.n_components, num_samples(X))
    return reduced[: num_samples(X)], reduced[num_samples(X) :]


def reduce_features(
    parts: list[NDArray[Any]], n_components: int, n_known: int
) -> NDArray[np.float32]:
    """Return features as at most ``n_components`` columns of mean square 1.

    Units of networks are centred; leaves of trees become one column a leaf (one that
    none of the first rows is in has none). Both are reduced by a truncated SVD.

    Parameters
    ----------
    parts : list of ndarray of shape (n_rows, n_features)
        As :func:`sk_distill.knowledge.inside.features_of` returns them.
    n_components : int
        Columns at most.
    n_known : int
        The first rows, from which the reduction is learnt.
    """
    learning = np.arange(n_known)
    if n_known > _MOST_ROWS:
        learning = np.random.default_rng(0).choice(n_known, _MOST_ROWS, replace=False)
    columns: list[Any] = []
    for part in parts:
        if part.dtype.kind == "i":
            leaves = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
            columns.append(leaves.fit(part[learning]).transform(part))
        else:
            columns.append((part - part[learning].mean(axis=0)).astype(np.float32))
    is_sparse = any(issparse(column) for column in columns)
    features: Any = hstack(columns, format="csr") if is_sparse else np.hstack(columns)
    if features.shape[1] > n_components:
        from sklearn.decomposition import TruncatedSVD

        svd = TruncatedSVD(n_components, random_state=0).fit(features[learning])
        features = svd.transform(features)
    elif is_sparse:
        features = features.toarray()
    features = features - features[learning].mean(axis=0)
    size = np.sqrt(np.square(features[learning]).mean())
    return (features / (size if size > 0 else 1.0)).astype(np.float32)


def choose_units(first: FirstLayer, n_units: int) -> NDArray[np.int64]:
    """Return the columns of the units that say most, at most ``n_units``.

    By a column-pivoted QR of what they pass on: each unit taken is the one that says
    most beyond those taken before, so that of two alike only one is.
    """
    units = first.units
    if units.shape[1] <= n_units:
        return np.arange(units.shape[1])
    if len(units) > _MOST_ROWS_OF_QR:
        rows = np.random.default_rng(0).choice(
            len(units), _MOST_ROWS_OF_QR, replace=False
        )
        units = units[rows]
    passed_on = np.maximum(units, 0)
    passed_on = (passed_on - passed_on.mean(axis=0)) * first.importance
    _, order = qr(passed_on, mode="r", pivoting=True)
    return np.sort(order[:n_units])
