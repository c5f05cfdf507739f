"""The average of several classifiers' answers, and the weights that serve it best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from sk_distill.inference import PROBABILITY_FLOOR

Array = NDArray[np.float64]

# Less than that is what a minimiser leaves of nothing.
_LEAST_WEIGHT = 1e-6


def average_answers(answers: Array, weights: Array, average: str) -> Array:
    """Return the weighted average of several classifiers' probabilities.

    Parameters
    ----------
    answers : ndarray of shape (n_members, n_rows, n_classes)
        Probabilities.
    weights : ndarray of shape (n_members,)
        They are >= 0 and sum to one.
    average : {"probabilities", "logits"}
        The mean of the probabilities, or softmax of the mean of their logarithms.

    Returns
    -------
    average : ndarray of shape (n_rows, n_classes)
    """
    if average == "probabilities":
        return np.tensordot(weights, answers, axes=1)
    return softmax(np.tensordot(weights, _logarithms(answers), axes=1), axis=1)


def learn_weights(
    answers: Array, codes: NDArray[Any], row_weight: Array | None, average: str
) -> Array:
    """Return the weights that minimise the log loss of the average.

    It is convex in the weights, for either average.

    Parameters
    ----------
    answers : ndarray of shape (n_members, n_rows, n_classes)
        Probabilities for rows whose labels the members have not seen.
    codes : ndarray of shape (n_rows,)
        The column of each row's label.
    row_weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    average : {"probabilities", "logits"}
        As in :func:`average_answers`.

    Returns
    -------
    weights : ndarray of shape (n_members,)
        They are >= 0 and sum to one.
    """
    n_members = len(answers)
    minimum = minimize(
        _losses(answers, codes, row_weight)[average],
        np.full(n_members, 1 / n_members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": np.ones_like,
        },
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.where(minimum.x < _LEAST_WEIGHT, 0, minimum.x)
    return weights / weights.sum()


def _losses(
    answers: Array, codes: NDArray[Any], row_weight: Array | None
) -> dict[str, Callable[[Array], tuple[float, Array]]]:
    """Return the log loss of each average, with its gradient, by the weights."""
    logarithms = _logarithms(answers)
    # Of the labels: (n_members, n_rows).
    log_labels = logarithms[:, np.arange(len(codes)), codes]
    labels = np.exp(log_labels)

    def of_probabilities(weights: Array) -> tuple[float, Array]:
        mean = weights @ labels
        gradient = -np.average(labels / mean, axis=1, weights=row_weight)
        return -np.average(np.log(mean), weights=row_weight), gradient

    def of_logits(weights: Array) -> tuple[float, Array]:
        log_mean = log_softmax(np.tensordot(weights, logarithms, axes=1), axis=1)
        expected = (np.exp(log_mean) * logarithms).sum(axis=2)
        gradient = np.average(expected - log_labels, axis=1, weights=row_weight)
        label = log_mean[np.arange(len(codes)), codes]
        return -np.average(label, weights=row_weight), gradient

    return {"probabilities": of_probabilities, "logits": of_logits}


def _logarithms(answers: Array) -> Array:
    return np.log(np.maximum(answers, PROBABILITY_FLOOR))
