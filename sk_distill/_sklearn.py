"""What is private in scikit-learn and used here all the same; nowhere else is."""

from inspect import signature
from typing import Any

from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseComposition",
    "VisualBlock",
    "check_parameters",
    "count_nodes",
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
