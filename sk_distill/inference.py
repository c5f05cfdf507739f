"""Predicting with numpy alone.

Arithmetic is in double precision: it costs little more than single here, and the
probabilities of a row then depend neither on the rows beside it nor on their order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

# Rows at a time: the hidden layer of a block stays in the processor's cache.
BLOCK_ROWS = 2048

# Teachers that vote answer with exact zeros, whose logarithm is no number. A softened
# zero is floor ** (1 / T): this floor is far below what a teacher can know from a
# table, and well inside float32.
PROBABILITY_FLOOR = 1e-7


class MostProbableMixin:
    """Predicts the class that ``predict_proba`` holds most probable."""

    classes_: NDArray[Any]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        codes = self.predict_proba(X).argmax(axis=1)  # type: ignore[attr-defined]
        return self.classes_[codes]


def probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return softmax of the last axis; a single column is the logit of class 1.

    The result is float64, whatever the logits are.
    """
    logits = logits.astype(np.float64, copy=False)
    if logits.shape[-1] == 1:
        # Not 1 - expit(z): that is 0 where the probability is merely small.
        return expit(np.concatenate([-logits, logits], axis=-1))
    shifted = logits - logits.max(axis=-1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def one_score_a_class(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logits in float64; for two classes one score, that of class 1."""
    logits = logits.astype(np.float64, copy=False)
    if logits.shape[-1] == 2:
        return logits[:, 1] - logits[:, 0]
    return logits[:, 0] if logits.shape[-1] == 1 else logits


def mlp_logits(
    first: NDArray[Any],
    coefs: Sequence[NDArray[Any]],
    intercepts: Sequence[NDArray[Any]],
    activation: str,
) -> NDArray[Any]:
    """Return the logits of a perceptron, or of several stacked on a leading axis.

    Parameters
    ----------
    first : ndarray of shape (n_rows, n_out) or (n_members, n_rows, n_out)
        Rows times the weights of the first layer; it is written to.
    coefs : sequence of ndarray of shape (n_in, n_out) or (n_members, n_in, n_out)
        Weights of the layers after the first.
    intercepts : sequence of ndarray of shape (n_out,) or (n_members, n_out)
        Biases of all layers.
    activation : {"identity", "logistic", "relu", "tanh"}
        What hidden layers apply.
    """
    x = first
    for intercept, coef in zip(intercepts, coefs, strict=False):
        x += intercept[..., None, :]
        activate(x, activation)
        x = x @ coef.astype(np.float64, copy=False)
    x += intercepts[-1][..., None, :]
    return x


def activate(x: NDArray[Any], activation: str) -> None:
    """Apply the activation in place."""
    if activation == "relu":
        np.maximum(x, 0, out=x)
    elif activation == "tanh":
        np.tanh(x, out=x)
    elif activation == "logistic":
        expit(x, out=x)


def hidden_values(
    first: NDArray[Any],
    coefs: Sequence[NDArray[Any]],
    intercepts: Sequence[NDArray[Any]],
    activation: str,
) -> list[NDArray[Any]]:
    """Return the values of the hidden units of each layer.

    The parameters are those of :func:`mlp_logits`; so are the shapes, layer by layer.
    """
    x, values = first, []
    for intercept, coef in zip(intercepts, coefs, strict=False):
        x += intercept[..., None, :]
        activate(x, activation)
        values.append(x)
        x = x @ coef.astype(np.float64, copy=False)
    return values
