"""How well a student says what its teacher says."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.utils import check_array

from sk_distill.exceptions import DistillationWarning
from sk_distill.validation import check_probability_pair

__all__ = [
    "agreement_score",
    "kl_divergence",
    "retained_improvement",
    "soft_log_loss",
]

# Where scikit-learn's log_loss clips, too: a probability of zero has no logarithm.
_FLOOR = np.finfo(np.float64).eps


def agreement_score(
    y_teacher: ArrayLike,
    y_student: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Share of the rows for which student and teacher predict the same class.

    .. math::

        \frac{1}{\sum_i w_i} \sum_i w_i \, [\hat y^T_i = \hat y^S_i]

    the top-1 agreement of Stanton et al. (2021). It asks nothing of the labels: a
    student that agrees with its teacher repeats its mistakes too.

    Parameters
    ----------
    y_teacher : array-like of shape (n_samples,)
        The classes that the teacher predicts.
    y_student : array-like of shape (n_samples,)
        The classes that the student predicts.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        From 0 to 1, the higher the more alike.

    Raises
    ------
    ValueError
        For probabilities in place of classes, for lengths that differ, and where only
        one of the two has strings for classes.

    References
    ----------
    Stanton, Izmailov, Kirichenko, Alemi & Wilson (2021), "Does Knowledge Distillation
    Really Work?", arXiv:2106.05945.

    Examples
    --------
    >>> from sk_distill.metrics import agreement_score
    >>> agreement_score(["ham", "spam", "spam", "ham"], ["ham", "spam", "ham", "ham"])
    0.75
    """
    teacher, student = (
        _check_labels(name, labels)
        for name, labels in (("y_teacher", y_teacher), ("y_student", y_student))
    )
    if len(teacher) != len(student):
        raise ValueError(
            f"agreement_score: y_teacher has {len(teacher)} rows and y_student "
            f"{len(student)}; expected the classes of the same rows."
        )
    of_teacher, of_student = _is_text(teacher), _is_text(student)
    if of_teacher.isdisjoint(of_student):
        kinds = [
            "strings" if True in is_text else "no strings"
            for is_text in (of_teacher, of_student)
        ]
        raise ValueError(
            f"agreement_score: the classes of y_teacher are {kinds[0]}, those of "
            f"y_student {kinds[1]}; expected labels of one kind, of which some can be "
            "the same. Turn both into strings with astype(str)."
        )
    weight = _check_weight("agreement_score", sample_weight, len(teacher))
    return float(np.average(teacher == student, weights=weight))


def kl_divergence(
    teacher_proba: ArrayLike,
    student_proba: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean Kullback-Leibler divergence of the student from the teacher.

    .. math::

        \frac{1}{\sum_i w_i} \sum_i w_i \sum_k P_{ik} \log \frac{P_{ik}}{Q_{ik}}

    in nats, with the teacher's probabilities P and the student's Q:
    :func:`soft_log_loss` less the least that it can be, the teacher's entropy.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        P. One number a row is the probability of the second of two classes.
    student_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Q, its columns in the same order; probabilities below 2.2e-16 count as that.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    divergence : float
        At least 0, which it is where both say the same.

    Raises
    ------
    ValueError
        For what is no probabilities, and for shapes that differ.

    Examples
    --------
    >>> from sk_distill.metrics import kl_divergence
    >>> divergence = kl_divergence([[0.9, 0.1], [0.5, 0.5]], [[0.9, 0.1], [0.8, 0.2]])
    >>> print(f"{divergence:.4f}")
    0.1116
    """
    teacher, student, weight = _check_pair(
        "kl_divergence", teacher_proba, student_proba, sample_weight
    )
    return float(np.average(divergences(teacher, student), weights=weight))


def soft_log_loss(
    teacher_proba: ArrayLike,
    student_proba: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Mean cross-entropy of the student with soft targets.

    .. math::

        -\frac{1}{\sum_i w_i} \sum_i w_i \sum_k P_{ik} \log Q_{ik}

    in nats: what distillation minimises, and with one-hot rows P scikit-learn's
    ``log_loss``. A scorer made of it is called with soft targets in the place of
    labels.

    Parameters
    ----------
    teacher_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        The soft targets P. One number a row is the probability of the second of two
        classes.
    student_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Q, its columns in the same order; probabilities below 2.2e-16 count as that.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    loss : float
        At least the mean entropy of P.

    Raises
    ------
    ValueError
        For what is no probabilities, and for shapes that differ.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.metrics import make_scorer
    >>> from sk_distill import DistilledClassifier
    >>> from sk_distill.metrics import soft_log_loss
    >>> X, y = load_wine(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> model = DistilledClassifier(forest, "linear", random_state=0).fit(X, y)
    >>> scorer = make_scorer(
    ...     soft_log_loss, response_method="predict_proba", greater_is_better=False
    ... )
    >>> print(f"{scorer(model, X, model.teacher_.predict_proba(X)):.2f}")
    -0.17
    """
    teacher, student, weight = _check_pair(
        "soft_log_loss", teacher_proba, student_proba, sample_weight
    )
    return float(np.average(cross_entropies(teacher, student), weights=weight))


def retained_improvement(
    plain_score: float, student_score: float, teacher_score: float
) -> float:
    r"""Share of the teacher's improvement over a plain student that is kept.

    .. math::

        \frac{s_\text{student} - s_\text{plain}}{s_\text{teacher} - s_\text{plain}}

    where the plain student is the same student, fitted to the labels alone. 1 is a
    student as good as its teacher, above 1 one that is better; below 0 distilling hurt.

    Parameters
    ----------
    plain_score : float
        Score of the student without a teacher, on the rows of the other two.
    student_score : float
        Score of the distilled student.
    teacher_score : float
        Score of the teacher. The higher a score the better: pass losses with their sign
        turned, as scorers return them.

    Returns
    -------
    share : float
        NaN where the teacher is no better than the plain student: there is then no
        improvement that could be kept.

    Raises
    ------
    ValueError
        For a score that is no finite number.

    Warns
    -----
    DistillationWarning
        Where NaN is returned.

    Examples
    --------
    >>> from sk_distill.metrics import retained_improvement
    >>> print(f"{retained_improvement(0.90, 0.94, 0.95):.2f}")
    0.80
    """
    for name, score in (
        ("plain_score", plain_score),
        ("student_score", student_score),
        ("teacher_score", teacher_score),
    ):
        if not isinstance(score, Real) or not np.isfinite(score):
            raise ValueError(
                f"retained_improvement: {name}={score!r} must be one finite number. "
                "Pass the mean of several scores."
            )
    improvement = teacher_score - plain_score
    if improvement <= 0:
        warnings.warn(
            f"retained_improvement: the teacher's score {teacher_score:.6g} is no "
            f"better than the plain student's {plain_score:.6g}, so that there is no "
            "improvement to keep; the share is NaN. Look at the scores themselves, and "
            "turn the sign of losses.",
            DistillationWarning,
            stacklevel=2,
        )
        return float("nan")
    return float((student_score - plain_score) / improvement)


def cross_entropies(
    teacher: NDArray[np.float64], student: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the cross-entropy of each row of probabilities, in nats."""
    return -xlogy(teacher, np.maximum(student, _FLOOR)).sum(axis=1)


def divergences(
    teacher: NDArray[np.float64], student: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the Kullback-Leibler divergence of each row, in nats."""
    return cross_entropies(teacher, student) + xlogy(teacher, teacher).sum(axis=1)


def _check_labels(name: str, labels: Any) -> NDArray[Any]:
    labels = np.asarray(labels)
    one_a_row = labels.ndim > 0 and labels.shape[1:] in ((), (1,))
    if not one_a_row or not labels.size:
        raise ValueError(
            f"agreement_score: {name} has shape {labels.shape}; expected one class a "
            "row, and one row at least. Of probabilities pass "
            "classes_[proba.argmax(axis=1)]."
        )
    return labels.ravel()


def _is_text(labels: NDArray[Any]) -> set[bool]:
    """Return whether labels are strings: of some, both."""
    return {isinstance(label, str) for label in labels.tolist()}


def _check_pair(
    owner: str, teacher_proba: Any, student_proba: Any, sample_weight: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Return both as float64 of one shape, and the weights."""
    teacher, student = check_probability_pair(owner, teacher_proba, student_proba)
    return teacher, student, _check_weight(owner, sample_weight, len(teacher))


def _check_weight(
    owner: str, sample_weight: Any, n_rows: int
) -> NDArray[np.float64] | None:
    if sample_weight is None:
        return None
    try:
        weight = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{owner}: sample_weight must be finite numbers, one a row: {error}"
        ) from error
    if weight.shape != (n_rows,):
        raise ValueError(
            f"{owner}: sample_weight has shape {weight.shape}; expected one weight a "
            f"row, ({n_rows},)."
        )
    if weight.min() < 0 or weight.sum() == 0:
        raise ValueError(
            f"{owner}: sample_weight must be >= 0, and > 0 for a row at least; the "
            f"smallest is {weight.min():g} and their sum {weight.sum():g}."
        )
    return weight
