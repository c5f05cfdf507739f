"""Where the bins of a numeric column begin and end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Edges are learnt from this many rows at most: more move them by less than they matter.
_MOST_ROWS = 100_000

# A tree sees a column as this many groups of about equal weight at most: a fortieth of
# the time of the rows themselves, and a split moves by a fraction of a leaf.
_MOST_GROUPS = 2048

# A leaf of a column's tree weighs at least this much: less follows noise.
_LEAF_WEIGHT = 20


def column_edges(
    x: NDArray[Any],
    targets: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    n_bins: int,
) -> NDArray[np.float64]:
    """Return the edges of at most ``n_bins`` bins.

    A column of few distinct values gets an edge at each. Else the edges are quantiles
    or, with targets, half quantiles and half the splits of a small tree. Either alone
    fails somewhere: quantiles where a column is mostly one value, the tree of one
    column where columns matter jointly.

    Parameters
    ----------
    x : ndarray of shape (n_rows,)
        A column, without its missing cells.
    targets : ndarray of shape (n_rows, n_classes) or None
        Probabilities that the tree predicts.
    weight : ndarray of shape (n_rows,) or None
        Positive weights: a row of weight 2 counts as two rows.
    n_bins : int
        Bins at most.

    Returns
    -------
    edges : ndarray of shape (n_edges,)
        Increasing, at least two. A column that never varies gets a bin that has no
        end, so that nothing ever fills it.
    """
    if len(x) > _MOST_ROWS:
        rows = np.random.default_rng(0).choice(len(x), _MOST_ROWS, replace=False)
        x = x[rows]
        targets = None if targets is None else targets[rows]
        weight = None if weight is None else weight[rows]
    # Trees see float32, in which neighbours may be one; of their ranks nothing is lost.
    values, rank = np.unique(x.astype(np.float64), return_inverse=True)
    # Of a bin that is narrower than any normal number no slope can be taken.
    is_new = np.diff(values, prepend=-np.inf) >= np.finfo(np.float64).tiny
    values, rank = values[is_new], np.maximum(np.cumsum(is_new) - 1, 0)[rank]
    if len(values) < 2:
        return np.append(values if len(values) else 0.0, np.inf)
    if len(values) <= n_bins + 1:
        return values
    if targets is None:
        return quantile_edges(values, rank, weight, n_bins)
    n_leaves = n_bins // 2
    splits = tree_splits(rank, targets, weight, n_leaves)
    # Halved before they are added: the sum of two large numbers may overflow.
    middles = values[splits] / 2 + values[splits + 1] / 2
    quantiles = quantile_edges(values, rank, weight, n_bins - n_leaves)
    return np.union1d(quantiles, middles)


def quantile_edges(
    values: NDArray[np.float64],
    rank: NDArray[np.int64],
    weight: NDArray[Any] | None,
    n_bins: int,
) -> NDArray[np.float64]:
    """Return the values at which the weight reaches 0, 1 / n_bins, …, 1 of the whole.

    The column is ``values[rank]``. Edges that coincide, as in a column that is mostly
    zero, become one.
    """
    cumulated = np.cumsum(np.bincount(rank, weights=weight))
    shares = np.linspace(0, cumulated[-1], n_bins + 1)
    # Sums of the same weights in another order differ in their last digits.
    reached = np.searchsorted(cumulated * (1 + 1e-12), shares)
    return np.unique(values[np.minimum(reached, len(values) - 1)])


def tree_splits(
    rank: NDArray[np.int64],
    targets: NDArray[Any],
    weight: NDArray[Any] | None,
    n_leaves: int,
) -> NDArray[np.int64]:
    """Return the ranks after which a small tree that predicts the targets splits.

    Gorishniy, Rubachev & Babenko 2022, arXiv:2203.05556, section 3.2.2; the tree's
    targets are the class probabilities, so that a teacher's can choose the bins.
    """
    if n_leaves < 2:
        return np.empty(0, dtype=np.int64)
    # It takes a quarter of the time of the package's own import.
    from sklearn.tree import DecisionTreeRegressor

    weight = np.ones(len(rank)) if weight is None else weight
    of_values = np.bincount(rank, weights=weight)
    total = of_values.sum()
    group = np.arange(len(of_values))
    if len(of_values) > _MOST_GROUPS:
        middle = np.cumsum(of_values) - of_values / 2
        shares = (middle / total * _MOST_GROUPS).astype(np.int64)
        group = np.unique(shares, return_inverse=True)[1]
    of_groups = np.bincount(group, weights=of_values)
    means = [
        np.bincount(group[rank], weights=weight * column) / of_groups
        for column in targets.T
    ]
    tree = DecisionTreeRegressor(
        max_leaf_nodes=n_leaves,
        # By weight, not by count: a row of weight 2 is two rows.
        min_weight_fraction_leaf=min(_LEAF_WEIGHT / total, 0.5),
        random_state=0,
    ).fit(
        np.arange(len(of_groups))[:, None],
        np.column_stack(means),
        sample_weight=of_groups,
    )
    thresholds = tree.tree_.threshold[tree.tree_.feature >= 0]
    last_groups = np.unique(np.floor(thresholds).astype(np.int64))
    return np.searchsorted(group, last_groups, side="right") - 1
