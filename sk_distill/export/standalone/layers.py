"""Layers as numpy multiplies them, with no more calls to it than they need."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np


def decode(array: tuple[str, tuple[int, ...], str]) -> Any:
    """Return an array of the file in double precision."""
    dtype, shape, text = array
    return np.frombuffer(b64decode(text), dtype).reshape(shape).astype(np.float64)


def softmax_of_rows(logits: Any) -> Any:
    """Return what :func:`softmax` does of each row."""
    logits = np.hstack([np.zeros((len(logits), 1)), logits])
    largest = logits.max(axis=1, keepdims=True)
    powers = np.exp(np.where(logits == largest, 0.0, logits - largest))
    return powers / powers.sum(axis=1, keepdims=True)


def beside_first(weights: Any, bias: Any) -> tuple[Any, Any]:
    """Return the last layer for logits beside that of the first class, a zero."""
    if weights.shape[1] == 1:
        # Of two classes it is so already.
        return weights, bias
    return weights[:, 1:] - weights[:, :1], bias[1:] - bias[:1]


def activate(h: Any, activation: str) -> None:
    """Turn the inputs of hidden units into what they make of them."""
    if activation == "relu":
        np.maximum(h, 0.0, out=h)
    elif activation == "tanh":
        np.tanh(h, out=h)


def as_tanh(layers: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return layers of logistic units as layers of tanh, which never overflows.

    1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2.
    """
    of_tanh = []
    for i, (weights, bias) in enumerate(layers):
        if i > 0:
            weights, bias = weights / 2, bias + weights.sum(axis=0) / 2
        if i < len(layers) - 1:
            weights, bias = weights / 2, bias / 2
        of_tanh.append((weights, bias))
    return of_tanh


def fold_biases(layers: list[tuple[Any, Any]], activation: str) -> list[Any]:
    """Return layers that do without adding a bias, but for the first.

    Each hidden layer has one unit more, which is the same for all rows: its weights in
    the next layer are the biases there.
    """
    always = np.ones(1)
    activate(always, activation)
    folded = []
    for i, (weights, bias) in enumerate(layers):
        if i > 0:
            weights = np.vstack([weights, bias / always])
            bias = np.zeros(len(bias))
        if i < len(layers) - 1:
            weights = np.hstack([weights, np.zeros((len(weights), 1))])
            weights[-1, -1] = 1 / always[0] if i > 0 else 0.0
            bias = np.append(bias, 1.0 if i == 0 else 0.0)
        folded.append((weights, bias))
    return folded


def hand_on(layers: list[Any], shares: Any) -> list[Any]:
    """Return the weights of layers below which there are so many units more.

    All that each layer has of these is one unit: their sum, by ``shares``.
    """
    widened = []
    for weights in layers:
        own = np.hstack([weights, np.zeros((len(weights), 1))])
        below = np.zeros((len(shares), own.shape[1]))
        below[:, -1] = shares
        widened.append(np.vstack([own, below]))
        shares = np.ones(1)
    return widened


def make_run(make_first: Callable, layers: list[Any], activation: str) -> Callable:
    """Return a function from a row to its logits, with arrays of its own.

    ``make_first`` returns the first layer and the array that it writes into. Each of
    the other layers is the product with its weights, how many of the units below it
    have this ``activation``, and how many units it has. All others below it rectify.
    """
    first, h = make_first()
    steps = []
    for product, n_below, n_units in layers:
        n_active = 0 if activation == "relu" else n_below
        active, others, above = h[:n_active], h[n_active:], np.empty(n_units)
        # Arrays of one shape are sooner compared than an array and a number.
        steps.append((active, others, np.zeros(len(others)), product, h, above))
        h = above
    has_tanh, rectifies = activation == "tanh", any(len(step[1]) for step in steps)
    maximum, tanh, tolist = np.maximum, np.tanh, h.tolist

    def run(row: Any) -> list[float]:
        first(row)
        for active, others, zeros, product, below, above in steps:
            if has_tanh:
                tanh(active, out=active)
            if rectifies:
                maximum(others, zeros, out=others)
            product(below, above)
        return tolist()

    return run


def make_product(weights: Any) -> Callable:
    """Return the function from a row to its product with weights, by the sooner way."""
    few = weights.shape[1] < len(weights)
    return np.ascontiguousarray(weights.T).dot if few else weights.T.dot
