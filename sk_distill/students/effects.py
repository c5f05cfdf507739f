"""What each column of a table adds to an additive student's logits."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import TableEncoder
from sk_distill.encoding.encoder import MOST_DEVIATIONS

# Two points of a straight line are so many deviations to either side of the mean.
_END_OF_LINE = 3.0


class FeatureEffect(NamedTuple):
    """The contribution of one column, in logits.

    Attributes
    ----------
    grid : ndarray of shape (n_points,) or list
        Of a numeric column the points, in its own units, between which the curve is
        straight: the edges of its bins, beyond which it is flat, or two points of a
        line, which has no ends. Of a categorical column its levels, None for a missing
        cell.
    effect : ndarray of shape (n_points, n_outputs)
        The contribution at each point or level; one output for two classes.
    other : ndarray of shape (n_outputs,) or None
        The contribution of a cell that is none of these: of a level that was rare or
        never seen, of a number that is missing. None where no number was missing.
    """

    grid: NDArray[np.float64] | list[Hashable]
    effect: NDArray[np.float64]
    other: NDArray[np.float64] | None


def feature_effects(
    estimator: Any, encoder: TableEncoder, slot_coef: NDArray[np.float64]
) -> dict[str, FeatureEffect]:
    """Return the effect of each column by its name, ``x0``, ``x1``, … without names.

    Parameters
    ----------
    estimator : BaseEstimator
        Knows the names of the columns.
    encoder : TableEncoder
        Its encoding.
    slot_coef : ndarray of shape (n_slots, n_outputs)
        Weights on slots.
    """
    names = getattr(
        estimator,
        "feature_names_in_",
        [f"x{j}" for j in range(estimator.n_features_in_)],
    )
    effects = {}
    for j, slots in encoder.slots_of_columns().items():
        coef = slot_coef[slots]
        if j in encoder.levels_:
            effect = FeatureEffect(encoder.levels_[j].names, coef[:-1], coef[-1])
        else:
            other = None
            if j in encoder.missing_:
                coef, other = coef[:-1], coef[-1]
            grid, curve = _curve(encoder, j, coef)
            effect = FeatureEffect(grid, curve, other)
        effects[str(names[j])] = effect
    return effects


def _curve(
    encoder: TableEncoder, j: int, coef: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points and the values of a numeric column's curve."""
    if j in encoder.edges_:
        edges = encoder.edges_[j]
        # The bin of a column that never varies has no end.
        seen = np.isfinite(edges)
        return edges[seen], coef[seen]
    deviations = np.array([-_END_OF_LINE, _END_OF_LINE])
    grid = encoder.mean_[j] + deviations * encoder.scale_[j]
    return grid, deviations[:, None] * coef


def line_at(
    encoder: TableEncoder, j: int, effect: FeatureEffect, numbers: NDArray[np.float64]
) -> FeatureEffect:
    """Return the effect of a straight line by its values at increasing numbers."""
    coef = effect.effect[-1] / _END_OF_LINE
    with np.errstate(over="ignore"):
        deviations = (numbers - encoder.mean_[j]) / encoder.scale_[j]
        overflows = not np.isfinite(deviations[:, None] * coef).all()
    if overflows or (encoder.scales_ and not encoder.folds_):
        # So does the student, whose line is flat from there on.
        deviations = np.clip(deviations, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        numbers = encoder.mean_[j] + deviations * encoder.scale_[j]
    return effect._replace(grid=numbers, effect=deviations[:, None] * coef)
