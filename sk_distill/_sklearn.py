"""What is private in scikit-learn and used here all the same; nowhere else is."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from sklearn.multiclass import _ConstantPredictor as ConstantPredictor
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.callback import AutoPropagatedCallback, CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for that of scikit-learn 1.9: before, there are no callbacks."""


__all__ = [
    "BaseComposition",
    "CallbackSupportMixin",
    "ConstantPredictor",
    "VisualBlock",
    "check_parameters",
    "count_nodes",
    "has_callbacks",
    "is_the_deepest",
    "managed_callbacks",
    "num_samples",
    "safe_indexing",
    "takes_sample_weight",
]


def check_parameters(estimator: Any) -> None:
    """Raise for a parameter that scikit-learn's estimator, or a part, would refuse."""
    for part in [estimator, *estimator.get_params(deep=True).values()]:
        if hasattr(part, "_parameter_constraints") and not isinstance(part, type):
            part._validate_params()


def count_nodes(model: Any) -> int | None:
    """Return how many nodes the trees of scikit-learn's histogram boosting have."""
    if not hasattr(model, "_predictors"):
        return None
    return sum(len(tree.nodes) for stage in model._predictors for tree in stage)


def takes_sample_weight(scorer: Any) -> bool:
    """Whether a scorer can be called with ``sample_weight``; its metric decides."""
    function = getattr(scorer, "_score_func", scorer)
    return "sample_weight" in signature(function).parameters


def has_callbacks(estimator: Any) -> bool:
    """Whether there are callbacks to be told of an estimator's fit."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def is_the_deepest(context: Any) -> bool:
    """Whether callbacks that are handed on to parts are handed on no further."""
    handed_on = [
        callback
        for callback in context._callbacks
        if isinstance(callback, AutoPropagatedCallback)
    ]
    return bool(handed_on) and all(
        callback.max_propagation_depth is not None
        and context._propagation_depth >= callback.max_propagation_depth
        for callback in handed_on
    )


@contextmanager
def managed_callbacks(estimator: Any, n_subtasks: int | None) -> Iterator[Any]:
    """Yield the context that tells an estimator's callbacks; None if it has none.

    What :func:`sklearn.callback.with_callbacks` does around a method, around a block.
    """
    if not has_callbacks(estimator):
        yield None
        return
    with callback_management_context(estimator):
        yield estimator._init_callback_context(max_subtasks=n_subtasks)
