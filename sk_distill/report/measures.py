"""Measures of several classifiers on the same rows, with bootstrap intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.metrics import cross_entropies, divergences

# Bins of the calibration error, as in Guo et al. (2017), section 5.
_N_BINS = 15

# What is measured against the labels, and whether more is better.
OF_LABELS = {
    "accuracy": True,
    "log loss": False,
    "ROC AUC": True,
    "Brier score": False,
    "calibration error": False,
}

# What is measured against the teacher.
OF_TEACHER = {"agreement": True, "KL divergence": False}


class Interval(NamedTuple):
    """A value, and between what it lies in 95 % of the resamples; NaN without any."""

    value: float
    low: float
    high: float


class Measurer:
    """Knows how to measure one classifier on rows of any weights.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_classes)
        Its probabilities.
    codes : ndarray of int of shape (n_rows,)
        Column of each row's label.
    teacher : ndarray of shape (n_rows, n_classes) or None
        The teacher's probabilities, to compare with.
    """

    def __init__(
        self,
        proba: NDArray[np.float64],
        codes: NDArray[np.int64],
        teacher: NDArray[np.float64] | None,
    ) -> None:
        n_classes = proba.shape[1]
        truth = np.eye(n_classes)[codes]
        said = proba.argmax(axis=1)
        confidence = proba.max(axis=1)
        squares = ((proba - truth) ** 2).sum(axis=1)
        # As in scikit-learn: of two classes that of the second one alone.
        self.means = {
            "accuracy": (said == codes).astype(np.float64),
            "log loss": cross_entropies(truth, proba),
            "Brier score": squares / 2 if n_classes == 2 else squares,
        }
        if teacher is not None:
            agrees = said == teacher.argmax(axis=1)
            self.means["agreement"] = agrees.astype(np.float64)
            self.means["KL divergence"] = divergences(teacher, proba)
        self.bin = np.clip(np.ceil(confidence * _N_BINS) - 1, 0, None).astype(np.int64)
        self.excess = self.means["accuracy"] - confidence
        columns = [1] if n_classes == 2 else range(n_classes)
        self.rankings = [_rank(proba[:, k], codes == k) for k in columns]

    def measure(self, weight: NDArray[np.float64]) -> dict[str, float]:
        """Return each measure of the rows by these weights."""
        total = weight.sum()
        values = {name: float(row @ weight / total) for name, row in self.means.items()}
        bins = np.bincount(self.bin, weight * self.excess)
        values["calibration error"] = float(np.abs(bins).sum() / total)
        areas = [_area(ranking, weight) for ranking in self.rankings]
        known = [area for area in areas if np.isfinite(area)]
        values["ROC AUC"] = float(np.mean(known)) if known else np.nan
        return values


class _Ranking(NamedTuple):
    """Rows in the order of a score, where each score begins, who is of the class."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    positive: NDArray[np.bool_]


def _rank(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> _Ranking:
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return _Ranking(order, starts, positive[order])


def _area(ranking: _Ranking, weight: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve; NaN where one of both kinds is absent."""
    weight = weight[ranking.order]
    ours = np.add.reduceat(weight * ranking.positive, ranking.starts)
    theirs = np.add.reduceat(weight * ~ranking.positive, ranking.starts)
    pairs = ours.sum() * theirs.sum()
    if pairs == 0:
        return np.nan
    below = np.cumsum(theirs) - theirs
    return float((ours * (below + theirs / 2)).sum() / pairs)


def measure_all(
    proba_of: dict[str, NDArray[np.float64]],
    codes: NDArray[np.int64],
    teacher: NDArray[np.float64] | None,
    pairs: list[tuple[str, str]],
    n_bootstraps: int,
    seed: int,
) -> tuple[dict[str, dict[str, Interval]], dict[tuple[str, str], dict[str, Interval]]]:
    """Return the measures of each classifier, and the differences of some.

    Rows are drawn with replacement, the same ones for all classifiers: what is hard in
    a resample is hard for all of them, and drops out of a difference.

    Parameters
    ----------
    proba_of : dict of str to ndarray of shape (n_rows, n_classes)
        The probabilities of each classifier.
    codes : ndarray of int of shape (n_rows,)
        Column of each row's label.
    teacher : ndarray of shape (n_rows, n_classes) or None
        Whom they are compared with.
    pairs : list of (str, str)
        Names of which the difference is wanted, the first less the second.
    n_bootstraps : int
        Number of resamples.
    seed : int
        Of the resamples.
    """
    n_rows = len(codes)
    measurers = {
        name: Measurer(proba, codes, teacher) for name, proba in proba_of.items()
    }
    rng = np.random.default_rng(seed)
    draws = [np.ones(n_rows)] + [
        np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows).astype(float)
        for _ in range(n_bootstraps)
    ]
    tables = {
        name: [measurer.measure(weight) for weight in draws]
        for name, measurer in measurers.items()
    }
    measures = {
        name: {key: _interval([row[key] for row in table]) for key in table[0]}
        for name, table in tables.items()
    }
    differences = {
        (first, second): {
            key: _interval(
                [
                    a[key] - b[key]
                    for a, b in zip(tables[first], tables[second], strict=True)
                ]
            )
            for key in OF_LABELS
        }
        for first, second in pairs
    }
    return measures, differences


def _interval(values: list[float]) -> Interval:
    """Return the first value between the quantiles of the others."""
    value, *resampled = values
    resampled = [x for x in resampled if np.isfinite(x)]
    if not resampled:
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(resampled, [0.025, 0.975]).tolist()
    return Interval(value, low, high)
