"""The candidates of a search over λ and T: the grid, the scores, the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import get_scorer, get_scorer_names

from sk_distill.validation import check_integer, check_real, name_of

# What a number of weights means: so many from a tenth, where the labels all but decide,
# to thirty, where the teacher does.
_LEAST_WEIGHT, _MOST_WEIGHT = 0.1, 30.0


class Grid(NamedTuple):
    """Values of λ and T, both ascending; λ from 0 to inf.

    The candidates are their pairs, but λ = 0, which knows no temperature, is one.
    """

    weights: NDArray[np.float64]
    temperatures: NDArray[np.float64]

    def candidates(self) -> list[tuple[float, float]]:
        """Return the pairs of λ and T, T running faster."""
        temperatures = self.temperatures.tolist()
        pairs = [(w, t) for w in self.weights[1:].tolist() for t in temperatures]
        return [(0.0, min(temperatures, key=lambda t: abs(t - 1))), *pairs]

    def path(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of candidates as ``(n_weights, n_temperatures, n_folds)``."""
        n_temperatures, n_folds = len(self.temperatures), scores.shape[1]
        plain = np.repeat(scores[:1], n_temperatures, axis=0)
        shape = (len(self.weights), n_temperatures, n_folds)
        return np.concatenate([plain, scores[1:]]).reshape(shape)


def make_grid(owner: object, distillation_weights: Any, temperatures: Any) -> Grid:
    """Return the grid that the owner's parameters describe; refuse what is none."""
    if isinstance(distillation_weights, Integral):
        check_integer(owner, "distillation_weights", distillation_weights, 2)
        n_weights = int(distillation_weights)
        weights = np.geomspace(_LEAST_WEIGHT, _MOST_WEIGHT, n_weights).tolist()
    else:
        weights = _check_values(
            owner, "distillation_weights", distillation_weights, zero=True
        )
    ends = [0.0, np.inf]
    return Grid(
        np.unique([*weights, *ends]),
        np.unique(_check_values(owner, "temperatures", temperatures, zero=False)),
    )


def _check_values(owner: object, name: str, values: Any, *, zero: bool) -> list[float]:
    """Return the values of one axis; only λ may be zero, or inf."""
    also = "an integer >= 2, or " if zero else ""
    no_sequence = isinstance(values, str) or not isinstance(values, Iterable)
    if no_sequence or np.ndim(values) == 0:
        raise TypeError(
            f"{name_of(owner)}: {name}={values!r} must be {also}a sequence of numbers."
        )
    values = list(values)
    if not values and not zero:
        raise ValueError(f"{name_of(owner)}: {name}={values!r} must not be empty.")
    for value in values:
        check_real(owner, name, value, 0, open_low=not zero, finite=not zero)
    return [float(value) for value in values]


def make_scorer_of(
    owner: object, scoring: Any, classes: NDArray[Any]
) -> Callable[..., float]:
    """Return the function ``(classifier, X, y) -> score`` that a parameter names."""
    if scoring == "neg_log_loss":
        return partial(neg_log_loss, classes=classes)
    if callable(scoring):
        return scoring
    names = get_scorer_names()
    if isinstance(scoring, str) and scoring in names:
        return get_scorer(scoring)
    near = get_close_matches(str(scoring), names, n=1)
    raise ValueError(
        f"{name_of(owner)}: scoring={scoring!r} must be a name of "
        "sklearn.metrics.get_scorer_names(), or a callable (estimator, X, y) -> float."
        + (f" Did you mean {near[0]!r}?" if near else "")
    )


def neg_log_loss(
    classifier: Any,
    X: Any,
    y: NDArray[Any],
    sample_weight: NDArray[np.float64] | None = None,
    *,
    classes: NDArray[Any],
) -> float:
    """Return the negative log loss on a fold, which may lack some of the classes.

    That is scikit-learn's. What it does to the labels anew for each candidate, types
    and one-hot columns, would take a sixth of a search with a linear student.
    """
    proba = classifier.predict_proba(X)
    of_label = proba[np.arange(len(y)), np.searchsorted(classes, y)]
    floor = np.finfo(proba.dtype).eps
    losses = -np.log(np.clip(of_label, floor, 1 - floor))
    return -float(np.average(losses, weights=sample_weight))


def best_candidate(scores: NDArray[np.float64]) -> int:
    """Return the candidate of the highest mean score, the first of several."""
    return int(scores.mean(axis=1).argmax())


def least_candidate(scores: NDArray[np.float64]) -> int:
    """Return the first candidate within one standard error of the best.

    The standard error is that of the best one's mean over the folds (Breiman et al.
    1984, "Classification and Regression Trees", section 3.4.3); the first candidates
    are those of the smallest λ, which lean least on the teacher.
    """
    mean = scores.mean(axis=1)
    best = int(mean.argmax())
    n_folds = scores.shape[1]
    if n_folds == 1:
        return best
    error = scores[best].std(ddof=1) / np.sqrt(n_folds)
    return int(np.flatnonzero(mean >= mean[best] - error)[0])


SELECTIONS: dict[str, Callable[[NDArray[np.float64]], int]] = {
    "best": best_candidate,
    "one_standard_error": least_candidate,
}


class DistillationGain(NamedTuple):
    """What the teacher is worth, in units of the score.

    Attributes
    ----------
    value : float
        The mean over folds of the score at the chosen λ and T, less that at λ = 0.
    standard_error : float
        Of that mean, from the differences fold by fold; NaN for a single fold.
    """

    value: float
    standard_error: float


def gain_over_plain(scores: NDArray[np.float64], index: int) -> DistillationGain:
    """Return what a candidate gains over the first one, λ = 0."""
    difference = scores[index] - scores[0]
    n_folds = len(difference)
    error = difference.std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else np.nan
    return DistillationGain(float(difference.mean()), float(error))


def tabulate(
    candidates: list[tuple[float, float]],
    scores: NDArray[np.float64],
    fit_seconds: NDArray[np.float64],
    score_seconds: NDArray[np.float64],
) -> dict[str, Any]:
    """Return the results in the layout of ``GridSearchCV.cv_results_``.

    Parameters
    ----------
    candidates : list of (float, float)
        λ and T.
    scores, fit_seconds, score_seconds : ndarray of shape (n_candidates, n_folds)
    """
    weights, temperatures = zip(*candidates, strict=True)
    mean = scores.mean(axis=1)
    return {
        "mean_fit_time": fit_seconds.mean(axis=1),
        "std_fit_time": fit_seconds.std(axis=1),
        "mean_score_time": score_seconds.mean(axis=1),
        "std_score_time": score_seconds.std(axis=1),
        "param_distillation_weight": np.ma.array(weights),
        "param_temperature": np.ma.array(temperatures),
        "params": [
            {"distillation_weight": weight, "temperature": temperature}
            for weight, temperature in candidates
        ],
        **{f"split{i}_test_score": column for i, column in enumerate(scores.T)},
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=1),
        "rank_test_score": rankdata(-mean, method="min").astype(np.int32),
    }
