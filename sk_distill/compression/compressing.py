"""Make a fitted student smaller."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import rel_entr
from sklearn.utils.validation import check_is_fitted

from sk_distill.compression.fine_tuning import fine_tune_network
from sk_distill.compression.layers import DTYPES, store
from sk_distill.compression.network import narrowed, read_network
from sk_distill.compression.pruning import prune_units
from sk_distill.compression.student import CompressedStudent, Compression
from sk_distill.encoding import Table
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.validation import (
    check_boolean,
    check_choice,
    check_real,
    check_seed,
    draw_seed,
    name_of,
)

# Rows that units are compared and scales are chosen on, at most: more move neither by
# as much as matters.
_MOST_ROWS = 20_000

# How far weights in less than single precision let an edge move, in narrowest bins: as
# little as a hundredth of what the rounding of the weights moves.
_EDGE_TOLERANCE = 1e-3


def compress(
    student: Any,
    X: Any,
    *,
    dtype: str = "int8",
    prune: float = 0.0,
    fine_tune: bool = True,
    random_state: Any = None,
) -> CompressedStudent:
    r"""Return a smaller student that answers almost as a fitted one does.

    Hidden units that contribute least are left out, the network that remains is
    trained on the answers of the whole one, and the weights are stored in fewer bits.
    No labels are needed: the student is the teacher (λ = inf).

    Parameters
    ----------
    student : fitted LinearStudent, MLPStudent or distilled classifier
        What to compress; of a :class:`DistilledClassifier` the ``student_``. It is not
        changed.
    X : array-like or frame of shape (n_samples, n_features)
        Rows such as the student will meet: those of its fit do, and so do more that
        have no label. Units are compared and scales are chosen on 20,000 of them at
        most, fine-tuning takes all.
    dtype : {"int8", "float16", "float32"}, default="int8"
        How weights are stored. "int8" are whole numbers from -127 to 127 with a scale
        for each output of a layer, chosen for the least squared error of that output
        over the rows. "float32" leaves a network that was trained in single precision
        as it is, bit for bit.
    prune : float, default=0.0
        Share of each hidden layer's units to leave out, 0 to 1; one stays at
        least. A unit's contribution is the standard deviation of its value over the
        rows, times the norm of its outgoing weights. What the next layer loses is
        regressed on the units that stay (He, Zhang & Sun 2017, arXiv:1707.06168,
        section 3.1). A linear student has none to leave out.
    fine_tune : bool, default=True
        Whether a pruned network is trained before it is stored. Nothing is trained
        where no unit is left out.
    random_state : int, RandomState or None, default=None
        Seed of the rows that are drawn, and of fine-tuning.

    Returns
    -------
    compressed : CompressedStudent
        A classifier with the interface of the student. Its ``compression_`` has the
        sizes before and after, and how far the answers moved.

    Raises
    ------
    TypeError
        For a student that is not of this package's own.
    NotFittedError
        For one that is not fitted.
    ValueError
        For rows or a parameter that cannot be used.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_distill import MLPStudent, compress
    >>> X, y = load_wine(return_X_y=True)
    >>> student = MLPStudent(random_state=0).fit(X, y)
    >>> compressed = compress(student, X, random_state=0)
    >>> bool(compressed.compression_.agreement > 0.99)
    True
    >>> report = compressed.compression_
    >>> bool(report.n_bytes < 0.3 * report.n_bytes_before)
    True
    """
    check_choice(compress, "dtype", dtype, DTYPES)
    check_real(compress, "prune", prune, 0, 1)
    check_boolean(compress, "fine_tune", fine_tune)
    check_seed(compress, random_state)
    student = _find_student(student)
    n_bytes_before = _pickled_size(student)
    network = read_network(student)
    n_units_before = network.n_units
    if prune > 0 and not n_units_before:
        raise ValueError(
            f"compress: prune={prune!r} leaves out hidden units, and a "
            f"{name_of(student)} has none. Leave prune=0.0, or compress an MLPStudent."
        )
    table = student._check_before_predict(X)
    seed = draw_seed(random_state)
    drawn = _draw_rows(table, seed)
    proba = student.predict_proba(X)
    if prune > 0:
        network = prune_units(network, drawn, prune)
    if fine_tune and network.n_units != n_units_before:
        network = fine_tune_network(student, network, table, proba, seed)
    tolerance = 0.0 if dtype == "float32" else _EDGE_TOLERANCE
    network = network._replace(encoder=narrowed(network.encoder, tolerance))
    network, layers = store(network, drawn, dtype)

    compressed = CompressedStudent()
    compressed.encoder_ = network.encoder
    compressed.layers_ = layers
    compressed.activation_ = network.activation
    for name in ("classes_", "allow_missing_", "n_features_in_", "feature_names_in_"):
        if hasattr(student, name):
            setattr(compressed, name, getattr(student, name))
    answer = compressed.predict_proba(X)
    compressed.compression_ = Compression(
        dtype,
        n_bytes=0,
        n_bytes_before=n_bytes_before,
        n_units=network.n_units,
        n_units_before=n_units_before,
        divergence=float(rel_entr(proba, answer).sum(axis=1).mean()),
        agreement=float((proba.argmax(axis=1) == answer.argmax(axis=1)).mean()),
    )
    # The figure is a part of what it measures: twice, since a small one takes less.
    for _ in range(2):
        compressed.compression_ = replace(
            compressed.compression_, n_bytes=_pickled_size(compressed)
        )
    return compressed


def _find_student(student: Any) -> LinearStudent | MLPStudent:
    """Return the fitted student that a user has passed, or that it holds."""
    if hasattr(student, "_fitted_student"):
        student = student._fitted_student()
    if not isinstance(student, LinearStudent | MLPStudent):
        raise TypeError(
            f"compress: student={student!r} cannot be compressed; expected a "
            "fitted LinearStudent or MLPStudent, or a DistilledClassifier with one. "
            "Of a Pipeline or a search pass the part that is one."
        )
    check_is_fitted(student)
    return student


def _pickled_size(student: Any) -> int:
    """Return the bytes of a pickled student."""
    try:
        return len(pickle.dumps(student))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{name_of(student)}: its size cannot be told, since a part of it cannot "
            f"be pickled ({error}). Predicting needs neither callbacks nor net_params: "
            "set_params(callbacks=None, net_params=None)."
        ) from error


def _draw_rows(table: Table, seed: int) -> Table:
    """Return some of the rows of a large table."""
    if len(table) <= _MOST_ROWS:
        return table
    rows = np.random.default_rng(seed).choice(len(table), _MOST_ROWS, replace=False)
    return table.take(np.sort(rows))
