"""More rows for the teacher to label: MUNGE, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from sk_distill.encoding import Table, check_table, table_like, takes_new_numbers
from sk_distill.validation import (
    check_choice,
    check_integer,
    check_real,
    check_seed,
    draw_seed,
    name_of,
)

# A row looks for its neighbour among this many: beyond, the table is cut at random into
# blocks, so that time grows with the rows and memory does not.
_BLOCK_ROWS = 20_000

# The metric tells this many levels of a column apart, the most frequent ones.
_METRIC_LEVELS = 64

# "auto" makes this many multiples, or this many rows if these are fewer.
_AUTO_MULTIPLES = 9
_AUTO_ROWS = 150_000

# In as many dimensions as this a tree no longer saves comparisons.
_TREE_DIMENSIONS = 15


class Munge(BaseEstimator):
    r"""Make rows that look like those of a table.

    Each row e of a copy of the table meets its nearest neighbour e'. With probability p
    they swap the values of a column, for each column anew: categories as they are,
    numbers with noise,

    .. math::

        e_a \sim N(e'_a, σ), \qquad e'_a \sim N(e_a, σ), \qquad σ = |e_a - e'_a| / s

    Rows that differ in little stay close to the data, where the teacher knows what it
    says; none of them has been seen by it.

    Parameters
    ----------
    n_multiples : int or "auto", default="auto"
        How many times as many rows to make as the table has. "auto" makes 9 times as
        many, or as many times as 150,000 rows allow, and always at least as many as
        there are.
    swap_probability : float, default=0.25
        p, from 0 to 1.
    local_variance : float, default=1.0
        s > 0. The larger, the closer numbers stay to those of the neighbours.
    random_state : int, RandomState or None, default=None
        Seed. None, within a :class:`DistilledClassifier`, is that classifier's.

    Notes
    -----
    Neighbours are nearest in the Euclidean metric on standardised numbers, where two
    different categories are at a distance of 1. In a table of more than 20,000 rows a
    row looks for its neighbour in a random part of that size. Numbers stay within the
    range of their column; those of an integer column are rounded. A missing value is
    swapped like a category, and so are booleans, the numbers of a column that has but
    two, and whatever an object column holds besides floats.

    References
    ----------
    Bucilă, Caruana & Niculescu-Mizil (2006), "Model Compression", KDD, algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import Munge
    >>> X, _ = load_wine(return_X_y=True, as_frame=True)
    >>> made = Munge(3, random_state=0).sample(X)
    >>> X.shape, made.shape
    ((178, 13), (534, 13))
    """

    def __init__(
        self,
        n_multiples: int | str = "auto",
        *,
        swap_probability: float = 0.25,
        local_variance: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.n_multiples = n_multiples
        self.swap_probability = swap_probability
        self.local_variance = local_variance
        self.random_state = random_state

    def sample(self, X: Any) -> Any:
        """Return new rows.

        Parameters
        ----------
        X : array or frame of shape (n_samples, n_features)
            At least two rows.

        Returns
        -------
        made : array or frame of shape (n_multiples * n_samples, n_features)
            Of the type of X, with its columns, dtypes and sets of categories.
        """
        self.check_parameters()
        table = check_table(self, X, allow_missing=True)
        n_rows = len(table)
        if n_rows < 2:
            raise ValueError(
                f"{name_of(self)} needs at least two rows, each other's neighbours; X "
                "has one."
            )
        rng = np.random.default_rng(draw_seed(self.random_state))
        is_drawn = _is_continuous(table) & takes_new_numbers(X)
        numbers = table.numbers[:, is_drawn].astype(np.float64)
        neighbour = nearest_neighbours(table, rng)
        passes = [
            self._swap(numbers, int((~is_drawn).sum()), neighbour, rng)
            for _ in range(self._count(n_rows))
        ]
        drawn = np.concatenate([made for made, _ in passes])
        sources = np.concatenate([source for _, source in passes])
        return table_like(X, is_drawn, drawn, sources)

    def check_parameters(self) -> None:
        """Raise for a parameter that cannot be used."""
        if isinstance(self.n_multiples, str):
            check_choice(self, "n_multiples", self.n_multiples, ["auto"], "an integer")
        else:
            check_integer(self, "n_multiples", self.n_multiples, 1)
        check_real(self, "swap_probability", self.swap_probability, 0, 1)
        check_real(
            self, "local_variance", self.local_variance, 0, open_low=True, finite=False
        )
        check_seed(self, self.random_state)

    def _count(self, n_rows: int) -> int:
        """Return how many times the table is gone through."""
        if self.n_multiples != "auto":
            return int(self.n_multiples)
        return int(np.clip(_AUTO_ROWS // n_rows, 1, _AUTO_MULTIPLES))

    def _swap(
        self,
        numbers: NDArray[np.float64],
        n_swapped: int,
        neighbour: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Go through the table once.

        Returns
        -------
        made : ndarray of shape (n_rows, n_continuous)
            The continuous columns of the new rows.
        source : ndarray of shape (n_rows, n_swapped)
            For the other columns, the row that each value is taken from.
        """
        made = numbers.copy()
        source = np.repeat(np.arange(len(numbers))[:, None], n_swapped, axis=1)
        for rows, neighbours in disjoint_pairs(neighbour, rng):
            a, b = made[rows], made[neighbours]
            swaps = rng.random(a.shape) < self.swap_probability
            # A missing value is swapped without noise.
            scale = np.nan_to_num(np.abs(a - b)) / self.local_variance
            made[rows] = np.where(swaps, rng.normal(b, scale), a)
            made[neighbours] = np.where(swaps, rng.normal(a, scale), b)

            own, other = source[rows], source[neighbours]
            swaps = rng.random(own.shape) < self.swap_probability
            source[rows] = np.where(swaps, other, own)
            source[neighbours] = np.where(swaps, own, other)
        if made.size:
            made = np.clip(made, np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0))
        return made, source


def _is_continuous(table: Table) -> NDArray[np.bool_]:
    """Return which columns are drawn with noise: numbers of more than two values."""
    n_values = [len(np.unique(x[~np.isnan(x)])) for x in table.numbers.T]
    return np.array(n_values) > 2


def nearest_neighbours(table: Table, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each row the number of another row that is nearest to it."""
    space = _metric_space(table)
    algorithm = "auto" if space.shape[1] <= _TREE_DIMENSIONS else "brute"
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1, algorithm=algorithm)
    neighbour = np.empty(len(table), dtype=np.int64)
    n_blocks = -(-len(table) // _BLOCK_ROWS)
    for block in np.array_split(rng.permutation(len(table)), n_blocks):
        # Asked without rows, it answers for those it knows and leaves out themselves.
        nearest = search.fit(space[block]).kneighbors(return_distance=False)
        neighbour[block] = block[nearest[:, 0]]
    return neighbour


def _metric_space(table: Table) -> NDArray[np.float32]:
    """Return the rows as points: what differs more is farther away."""
    numeric = [j for j in range(table.numbers.shape[1]) if j not in table.categories]
    numbers = table.numbers[:, numeric].astype(np.float64)
    absent = np.isnan(numbers)
    count = np.maximum((~absent).sum(axis=0), 1)
    numbers = np.where(absent, 0, numbers)
    mean = numbers.sum(axis=0) / count
    numbers = np.where(absent, 0, numbers - mean)
    scale = np.sqrt((numbers**2).sum(axis=0) / count)
    parts = [numbers / np.where(scale > 0, scale, 1), absent[:, absent.any(axis=0)]]
    for column in table.categories.values():
        counts = np.bincount(column.codes + 1, minlength=len(column.levels) + 1)
        frequent = np.argsort(-counts, kind="stable")[:_METRIC_LEVELS] - 1
        # Two different levels are at a distance of 1.
        parts.append((column.codes[:, None] == frequent) * np.sqrt(0.5))
    return np.hstack(parts).astype(np.float32)


def disjoint_pairs(
    neighbour: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs of a row and its neighbour in groups that share no row.

    To swap group by group is to go through the rows one by one in a random order: a
    pair waits for those before it that share a row with it.
    """
    rows = rng.permutation(len(neighbour))
    while len(rows):
        ends = np.column_stack([rows, neighbour[rows]]).ravel()
        _, first, which = np.unique(ends, return_index=True, return_inverse=True)
        # A pair is ready where no pair before it has either of its ends.
        ready = (
            (first[which] // 2 == np.arange(len(ends)) // 2).reshape(-1, 2).all(axis=1)
        )
        yield rows[ready], neighbour[rows[ready]]
        rows = rows[~ready]


def prepare_transfer_set(owner: object, transfer_set: Any, seed: int | None) -> Any:
    """Return None, a seeded :class:`Munge`, or the user's rows.

    Raises
    ------
    ValueError, TypeError
        For what is no transfer set, or a parameter of one that is no use.
    """
    if isinstance(transfer_set, str):
        check_choice(
            owner, "transfer_set", transfer_set, ["munge"], "a Munge, rows or None"
        )
        transfer_set = Munge()
    if not isinstance(transfer_set, Munge):
        if transfer_set is None or hasattr(transfer_set, "__len__"):
            return transfer_set
        hint = " Call the class: Munge()." if transfer_set is Munge else ""
        raise TypeError(
            f"{name_of(owner)}: transfer_set={transfer_set!r} must be 'munge', a "
            f"Munge, an array or a frame of rows, or None.{hint}"
        )
    transfer_set = clone(transfer_set)
    transfer_set.check_parameters()
    if transfer_set.random_state is None:
        transfer_set.set_params(random_state=seed)
    return transfer_set
