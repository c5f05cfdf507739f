"""Parameters that networks share: checks, the seed, the plan."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from sk_distill.encoding import ENCODINGS
from sk_distill.exceptions import DistillationWarning
from sk_distill.progress import running_step
from sk_distill.validation import (
    check_boolean,
    check_choice,
    check_integer,
    check_real,
    check_seed,
    name_of,
)

if TYPE_CHECKING:
    from sk_distill.training import TrainingPlan

# T² times a difference of order 1 / T drowns in float32's rounding beyond.
_MOST_TEMPERATURE = 1000

LEARNING_RATES = ("one_cycle", "constant")

# The keys of sk_distill.losses.LOSSES, for which torch would have to be imported.
LOSS_NAMES = ("soft_cross_entropy", "kl", "logit_mse", "decoupled", "dist")

# What max_iter="auto" means: iterations of "lbfgs"; steps of "adam" over all epochs,
# and the fewest and the most epochs.
_LBFGS_ITERATIONS = 1000
_STEPS = 10_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 100

# What weight_decay="auto" means: a prior counts as so many rows, within bounds.
_DECAY_ROWS = 4_000
_LEAST_DECAY, _MOST_DECAY = 0.03, 0.3


def check_objective(
    owner: object, distillation_weight: Any, temperature: Any, loss: Any
) -> None:
    """Raise unless λ, T and the loss make an objective."""
    check_real(
        owner,
        "distillation_weight",
        distillation_weight,
        0,
        finite=False,
        why="0 learns from the labels alone, inf from the teacher alone.",
    )
    check_real(
        owner,
        "temperature",
        temperature,
        0,
        open_low=True,
        why="1 leaves the teacher's probabilities as they are; inf is no value.",
    )
    if isinstance(loss, type):
        raise TypeError(
            f"{name_of(owner)}: loss={loss.__name__} is a class; pass an instance, "
            f"{loss.__name__}()."
        )
    if not callable(loss):
        check_choice(
            owner,
            "loss",
            loss,
            LOSS_NAMES,
            also="a callable "
            "(student_logits, teacher_logits, hard_targets) -> per-row loss",
        )


def check_loss(owner: object, loss: Any, n_classes: int) -> None:
    """Raise where a loss says that it cannot be used for so many classes."""
    check = getattr(loss, "check_n_classes", None)
    if check is not None:
        try:
            check(n_classes)
        except ValueError as error:
            raise ValueError(f"{name_of(owner)}: {error}") from error


def warn_of_rounding(owner: object, temperature: float) -> None:
    """Tell the user of a temperature that float32 has too few digits for."""
    if temperature > _MOST_TEMPERATURE:
        warnings.warn(
            f"{name_of(owner)}: temperature={temperature:g} in single precision leaves "
            "little but rounding of what the teacher says. Set it to 100 or less, from "
            "where on nothing else changes, or train in double precision: "
            "solver='lbfgs'.",
            DistillationWarning,
            stacklevel=3,
        )


def check_training_parameters(owner: Any) -> None:
    """Raise unless the parameters that all networks share are usable."""
    check_choice(owner, "encoding", owner.encoding, ENCODINGS)
    check_integer(owner, "n_bins", owner.n_bins, 1)
    _check_auto(owner, "max_iter")
    check_real(owner, "tol", owner.tol, 0)
    _check_auto(owner, "batch_size")
    check_choice(owner, "learning_rate", owner.learning_rate, LEARNING_RATES)
    check_real(owner, "learning_rate_init", owner.learning_rate_init, 0, open_low=True)
    check_integer(owner, "n_iter_no_change", owner.n_iter_no_change, 1)
    check_real(
        owner, "validation_fraction", owner.validation_fraction, 0, 0.9, open_low=True
    )
    check_boolean(owner, "early_stopping", owner.early_stopping)
    check_seed(owner, owner.random_state)
    if not isinstance(owner.callbacks, list | tuple | None):
        raise TypeError(
            f"{name_of(owner)}: callbacks={owner.callbacks!r} must be a list of skorch "
            "callbacks, or None."
        )
    if not isinstance(owner.net_params, dict | None):
        raise TypeError(
            f"{name_of(owner)}: net_params={owner.net_params!r} must be a dict of "
            "parameters of the skorch net, or None."
        )

    from sk_distill.training import check_plan

    check_plan(name_of(owner), owner._plan(n_rows=1, seed=0))


def check_weight_decay(owner: Any) -> None:
    """Raise unless weight_decay is a number >= 0 or "auto"."""
    if isinstance(owner.weight_decay, str):
        check_choice(
            owner, "weight_decay", owner.weight_decay, ["auto"], "a number >= 0"
        )
    else:
        check_real(owner, "weight_decay", owner.weight_decay, 0)


def _check_auto(owner: Any, name: str) -> None:
    """Raise unless a parameter is an integer or "auto"."""
    value = getattr(owner, name)
    if isinstance(value, str):
        check_choice(owner, name, value, ["auto"], "an integer")
    else:
        check_integer(owner, name, value, 1)


def make_plan(
    owner: Any,
    n_rows: int,
    seed: int,
    *,
    solver: str,
    alpha: float = 0.0,
    weight_decay: float | str = 0.0,
) -> TrainingPlan:
    """Return the training plan that the owner's parameters describe."""
    from sk_distill.training import TrainingPlan

    batch_size = owner.batch_size
    if batch_size == "auto":
        batch_size = auto_batch_size(n_rows)
    max_iter = owner.max_iter
    if max_iter == "auto":
        max_iter = (
            _LBFGS_ITERATIONS if solver == "lbfgs" else auto_epochs(n_rows, batch_size)
        )
    if isinstance(weight_decay, str):
        weight_decay = auto_weight_decay(n_rows)
    return TrainingPlan(
        solver=solver,
        max_iter=max_iter,
        tol=owner.tol,
        seed=seed,
        alpha=alpha,
        weight_decay=weight_decay,
        batch_size=batch_size,
        learning_rate=owner.learning_rate_init,
        schedule=owner.learning_rate,
        early_stopping=owner.early_stopping,
        validation_fraction=owner.validation_fraction,
        n_iter_no_change=owner.n_iter_no_change,
        device=owner.device,
        callbacks=tuple(owner.callbacks or ()),
        net_params=owner.net_params or {},
        verbose=owner.verbose,
        step=running_step(),
    )


def auto_batch_size(n_rows: int) -> int:
    """Return the power of two nearest to ``n_rows / 100``, from 32 to 512.

    A small table gets many steps an epoch, a large one few and cheap ones.
    """
    return int(np.clip(2 ** round(np.log2(max(n_rows, 1) / 100)), 32, 512))


def auto_epochs(n_rows: int, batch_size: int) -> int:
    """Return the epochs that make about 10,000 steps, from 10 to 100."""
    n_epochs = round(_STEPS / -(-n_rows // batch_size))
    return int(np.clip(n_epochs, _FEWEST_EPOCHS, _MOST_EPOCHS))


def auto_weight_decay(n_rows: int) -> float:
    """Return 4,000 / ``n_rows``, from 0.03 to 0.3.

    A penalty is a prior, which counts for less the more rows there are.
    """
    return float(np.clip(_DECAY_ROWS / max(n_rows, 1), _LEAST_DECAY, _MOST_DECAY))


def weigh_rows(
    owner: object,
    class_weight: Any,
    classes: NDArray[Any],
    codes: NDArray[Any] | None,
    weight: NDArray[Any] | None,
) -> NDArray[Any] | None:
    """Return the weight of each row: its own times its class's."""
    if class_weight is None:
        return weight
    if codes is None:
        raise ValueError(
            f"{name_of(owner)}: class_weight={class_weight!r} needs labels, but y is "
            "None. Pass y, or class_weight=None."
        )
    owner_and_value = f"{name_of(owner)}: class_weight={class_weight!r}"
    if isinstance(class_weight, str):
        check_choice(owner, "class_weight", class_weight, ["balanced"], "a dict")
        per_class = compute_class_weight(
            "balanced", classes=classes, y=classes[codes], sample_weight=weight
        )
    elif isinstance(class_weight, dict):
        per_class = _weights_from_dict(owner_and_value, class_weight, classes)
    else:
        raise TypeError(
            f"{owner_and_value} must be a dict of class labels and weights, "
            "'balanced' or None."
        )
    rows = per_class[codes] if weight is None else weight * per_class[codes]
    if not rows.any():
        raise ValueError(
            f"{owner_and_value} leaves every row with a weight of zero; at least one "
            "row must weigh something."
        )
    return rows


def _weights_from_dict(
    owner_and_value: str, class_weight: dict[Any, Any], classes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return a weight for each class; a class that is not named weighs 1."""
    labels = classes.tolist()
    unnamed = [label for label in labels if label not in class_weight]
    # As in scikit-learn: a name too many is a class that this fold has not, unless
    # another one is missing, which looks like a typing error.
    if unnamed and len(labels) - len(unnamed) != len(class_weight):
        raise ValueError(
            f"{owner_and_value} names classes that y has not, and leaves out "
            f"{unnamed}; y has {labels}."
        )
    values = [class_weight.get(label, 1.0) for label in labels]
    if not all(isinstance(v, Real) and 0 <= float(v) < np.inf for v in values):
        raise ValueError(f"{owner_and_value} must hold finite weights >= 0.")
    return np.array(values, dtype=np.float64)
