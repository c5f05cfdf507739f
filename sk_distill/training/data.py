"""What a network learns from, as one value."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The code of a row without a label: torch's cross-entropy takes it for zero loss.
UNLABELLED = -100


class TrainingData(NamedTuple):
    """Encoded rows with what is known of each.

    Attributes
    ----------
    inputs : ndarray of shape (n_rows, n_inputs) or SlotRows
        Encoded rows; their dtype is the dtype of training.
    codes : ndarray of shape (n_rows,) or None
        Labels as integers from 0, :data:`UNLABELLED` where a row has none; None where
        only the teacher speaks.
    soft_targets : ndarray of shape (n_rows, n_classes) or None
        The teacher's probabilities; None where only labels speak.
    weight : ndarray of shape (n_rows,) or None
        Positive weights; None where every row weighs the same.
    hints : ndarray of shape (n_rows, n_hints) or None
        What the network's last outputs, beside the logits, are to tell of the teacher.
    anchor : object or None
        Has the ``weights`` that the first layer's first units are pulled to, on the
        basis in which they are penalised, of shape (n_inputs, n_units).
    """

    inputs: Any
    codes: NDArray[Any] | None = None
    soft_targets: NDArray[Any] | None = None
    weight: NDArray[Any] | None = None
    hints: NDArray[Any] | None = None
    anchor: Any = None

    def likely_classes(self) -> NDArray[Any]:
        """Return the class of each row that the teacher holds likeliest.

        It does not depend on the labels, as nothing may at λ = inf, and is the same
        for all λ; without a teacher it is the label.
        """
        if self.soft_targets is None:
            assert self.codes is not None
            return self.codes
        return self.soft_targets.argmax(axis=1)

    @property
    def total_weight(self) -> float:
        """The weights' sum; without any, the number of rows."""
        return len(self.inputs) if self.weight is None else float(self.weight.sum())

    def class_shares(self, n_classes: int) -> NDArray[np.float64]:
        """Return the share of each class as the teacher or the labels have it."""
        if self.soft_targets is not None:
            return np.average(self.soft_targets, axis=0, weights=self.weight)[None]
        assert self.codes is not None
        shares = np.bincount(self.codes, weights=self.weight, minlength=n_classes)
        return shares[None] / shares.sum()
