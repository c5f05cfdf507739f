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
    if logits.shape[1] == 1:
        small = np.exp(-np.abs(logits))
        low, high = small / (1 + small), 1 / (1 + small)
        return np.where(logits >= 0, np.hstack([low, high]), np.hstack([high, low]))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def activate(h: Any, activation: str) -> None:
    """Turn the inputs of hidden units into what they make of them."""
    if activation == "relu":
        np.maximum(h, 0.0, out=h)
    elif activation == "tanh":
        np.tanh(h, out=h)
    elif activation == "logistic":
        # The logistic function, by one that never overflows.
        h /= 2
        np.tanh(h, out=h)
        h /= 2
        h += 0.5


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


def hand_on(layers: list[Any], n_guards: int) -> list[Any]:
    """Return the weights of layers below which there are so many units more.

    All that each layer has of these is one unit, which is the sum of them.
    """
    widened = []
    for weights in layers:
        own = np.hstack([weights, np.zeros((len(weights), 1))])
        guards = np.zeros((n_guards, own.shape[1]))
        guards[:, -1] = 1.0
        widened.append(np.vstack([own, guards]))
        n_guards = 1
    return widened


def make_product(weights: Any) -> Callable:
    """Return the function from a row to its product with weights, by the sooner way."""
    few = weights.shape[1] < len(weights)
    return np.ascontiguousarray(weights.T).dot if few else weights.T.dot


def make_finish_one(
    layers: list[Any], unguarded: list[Any], activation: str
) -> Callable:
    """Return the function from what a row's first layer adds up to, to logits.

    Units beyond those that layers have ``unguarded`` are rectified, whatever the
    activation.
    """
    steps = [
        (np.zeros(len(weights)), len(own), make_product(weights))
        for weights, own in zip(layers, unguarded, strict=True)
    ]
    maximum = np.maximum

    def finish_rectified(h: Any) -> list[float]:
        for zeros, _, product in steps:
            # Arrays of one shape are sooner compared than an array and a number.
            maximum(h, zeros, out=h)
            h = product(h)
        return h.tolist()

    def finish_one(h: Any) -> list[float]:
        for _, n_units, product in steps:
            activate(h[:n_units], activation)
            activate(h[n_units:], "relu")
            h = product(h)
        return h.tolist()

    return finish_rectified if activation == "relu" else finish_one
