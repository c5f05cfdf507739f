"""Fitted classifiers as containers of plain values and arrays, and back.

What comes back is made by this package's own code from values whose types are checked:
nothing that is read says what is to be run.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.compression import CompressedStudent
from sk_distill.compression.layers import Layer
from sk_distill.compression.student import Compression
from sk_distill.encoding import TableEncoder
from sk_distill.encoding.levels import Levels
from sk_distill.exceptions import DistillationWarning
from sk_distill.students import LinearStudent, MLPStudent
from sk_distill.teachers import MLPTeacher
from sk_distill.validation import name_of

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (LinearStudent, MLPStudent, CompressedStudent, MLPTeacher)
}

# What a fit sets, beside the encoding.
_FITTED = (
    "classes_",
    "allow_missing_",
    "n_features_in_",
    "feature_names_in_",
    "n_iter_",
    "loss_curve_",
    "history_",
    "coef_",
    "slot_coef_",
    "intercept_",
    "coefs_",
    "intercepts_",
    "activation_",
)

_ENCODER = (
    "numeric_",
    "missing_",
    "scales_",
    "mean_",
    "scale_",
    "n_slots",
    "n_units",
    "value_slot_",
    "last_bin_",
    "missing_slot_",
    "level_slot_",
    "level_count_",
)

_SCALARS = (bool, int, float, str)

# Kinds of dtypes of arrays that are saved as they are.
_ARRAYS = "biufU"


def to_plain(classifier: Any) -> dict[str, Any]:
    """Return a fitted student or MLPTeacher as containers of plain values.

    Parameters
    ----------
    classifier : LinearStudent, MLPStudent, CompressedStudent or MLPTeacher
        A fitted classifier.

    Returns
    -------
    plain : dict
        Of dicts with strings for keys, lists, arrays, strings, numbers, booleans, None.
    """
    params, left_out = {}, []
    for name, value in classifier.get_params(deep=False).items():
        try:
            params[name] = _pack(value)
        except TypeError:
            left_out.append(name)
    if left_out:
        warnings.warn(
            f"{name_of(classifier)}: the parameters {', '.join(left_out)} hold more "
            "than plain values and are not saved; what is loaded has their defaults. "
            "It predicts without them; to fit it anew, set them by set_params.",
            DistillationWarning,
            stacklevel=3,
        )
    own = vars(classifier)
    with _refusing(classifier, "of the labels", "y"):
        fitted = {name: _pack(own[name]) for name in _FITTED if name in own}
    names = own.get("feature_names_in_", range(classifier.n_features_in_))
    for j, levels in classifier.encoder_.levels_.items():
        with _refusing(classifier, f"a level of column {names[j]!r}", "column"):
            _pack(list(levels.names))
    encoder = _pack_encoder(classifier.encoder_)
    plain = {
        "kind": name_of(classifier),
        "params": params,
        "fitted": fitted,
        "encoder": encoder,
    }
    if isinstance(classifier, CompressedStudent):
        plain["layers"] = [list(layer) for layer in classifier.layers_]
        plain["compression"] = _pack(vars(classifier.compression_))
    return plain


@contextmanager
def _refusing(classifier: Any, what: str, source: str) -> Iterator[None]:
    """Say of what is no plain value ``what`` it is, and to turn its source to text."""
    try:
        yield
    except TypeError as error:
        raise TypeError(
            f"{name_of(classifier)} cannot be saved: {error}, {what}; expected "
            "strings, numbers or booleans. Turn such values into strings before "
            f"fitting, e.g. {source}.astype(str)."
        ) from error


def from_plain(plain: Any) -> Any:
    """Return the classifier that :func:`to_plain` was given.

    Raises
    ------
    ValueError
        For what :func:`to_plain` does not make.
    """
    kind = _KINDS[plain["kind"]]
    params = {name: _unpack(value) for name, value in plain["params"].items()}
    known = kind().get_params(deep=False)
    classifier = kind(**{name: params[name] for name in known if name in params})
    for name in _FITTED:
        if name in plain["fitted"]:
            setattr(classifier, name, _unpack(plain["fitted"][name]))
    classifier.encoder_ = _unpack_encoder(plain["encoder"])
    if kind is CompressedStudent:
        classifier.layers_ = [Layer(*layer) for layer in plain["layers"]]
        compression = Compression(**_unpack(plain["compression"]))
        classifier.compression_ = compression
    return classifier


def _pack_encoder(encoder: TableEncoder) -> dict[str, Any]:
    plain = {name: _pack(getattr(encoder, name)) for name in _ENCODER}
    plain["edges"] = [[j, edges] for j, edges in encoder.edges_.items()]
    plain["levels"] = [
        [j, _pack(list(levels.names)), levels.shares, bool(levels.has_rare)]
        for j, levels in encoder.levels_.items()
    ]
    return plain


def _unpack_encoder(plain: dict[str, Any]) -> TableEncoder:
    encoder = TableEncoder()
    for name in _ENCODER:
        setattr(encoder, name, _unpack(plain[name]))
    encoder.edges_ = dict(plain["edges"])
    encoder.levels_ = {
        j: Levels(_unpack(names), shares, has_rare)
        for j, names, shares, has_rare in plain["levels"]
    }
    encoder.note_folds()
    return encoder


def _pack(value: Any) -> Any:
    """Return a value as plain ones: what is no list, scalar or array says its kind.

    Raises
    ------
    TypeError
        For an object that is none of these.
    """
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, str):
        value = str.__str__(value)
    if value is None or type(value) in _SCALARS:
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind in _ARRAYS:
            return value
        return {"kind": "objects", "items": [_pack(item) for item in value.tolist()]}
    if isinstance(value, list):
        return [_pack(item) for item in value]
    if isinstance(value, tuple):
        return {"kind": "tuple", "items": [_pack(item) for item in value]}
    if isinstance(value, dict):
        pairs = [[_pack(key), _pack(item)] for key, item in value.items()]
        return {"kind": "dict", "items": pairs}
    raise TypeError(f"{value!r} of type {type(value).__name__} is no plain value")


def _unpack(plain: Any) -> Any:
    """Undo :func:`_pack`."""
    if isinstance(plain, list):
        return [_unpack(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    items = [_unpack(item) for item in plain["items"]]
    if plain["kind"] == "tuple":
        return tuple(items)
    return dict(items) if plain["kind"] == "dict" else _objects(items)


def _objects(items: list[Any]) -> NDArray[Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def check_plain(value: Any) -> None:
    """Raise for what :func:`to_plain` does not make.

    Raises
    ------
    ValueError
        For another type of value, or keys that are no strings.
    """
    if value is None or type(value) in _SCALARS:
        return
    if type(value) is np.ndarray and value.dtype.kind in _ARRAYS:
        return
    if type(value) is list:
        for item in value:
            check_plain(item)
    elif type(value) is dict and all(type(key) is str for key in value):
        for item in value.values():
            check_plain(item)
    else:
        raise ValueError(f"a {type(value).__name__} is no part of a student")
