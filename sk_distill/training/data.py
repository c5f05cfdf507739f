"""What a network learns from, as one value."""

from typing import Any, NamedTuple

from numpy.typing import NDArray


class TrainingData(NamedTuple):
    """Encoded rows with what is known of each.

    Attributes
    ----------
    inputs : ndarray of shape (n_rows, n_inputs)
        Encoded rows; their dtype is the dtype of training.
    codes : ndarray of shape (n_rows,) or None
        Labels as integers from 0; None where only the teacher speaks.
    soft_targets : ndarray of shape (n_rows, n_classes) or None
        The teacher's probabilities; None where only labels speak.
    weight : ndarray of shape (n_rows,) or None
        Positive weights; None where every row weighs the same.
    """

    inputs: NDArray[Any]
    codes: NDArray[Any] | None = None
    soft_targets: NDArray[Any] | None = None
    weight: NDArray[Any] | None = None
