"""What compressing makes of a student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags

from sk_distill.compression.layers import Layer
from sk_distill.encoding import Table
from sk_distill.inference import activate
from sk_distill.networks.answering import AnsweringClassifier


@dataclass(frozen=True)
class Compression:
    r"""What compressing saved, and what it changed.

    Attributes
    ----------
    dtype : str
        The dtype of the weights.
    n_bytes, n_bytes_before : int
        Length of the pickled student, and of the one that was passed in.
    n_units, n_units_before : tuple of int
        Units of each hidden layer.
    divergence : float
        Mean over the rows of :math:`\text{KL}(P \| Q) = \sum_k P_k \log (P_k / Q_k)`
        in nats, with the probabilities P of the student that was passed in and Q of
        the compressed one: the cross-entropy with P less the least that it can be.
    agreement : float
        Share of the rows for which both predict the same class.
    """

    dtype: str
    n_bytes: int
    n_bytes_before: int
    n_units: tuple[int, ...]
    n_units_before: tuple[int, ...]
    divergence: float
    agreement: float

    def __str__(self) -> str:
        pairs = zip(self.n_units, self.n_units_before, strict=True)
        units = " and ".join(f"{now} of {before}" for now, before in pairs)
        return (
            f"{self.dtype}{units and f', {units} units'}: {self.n_bytes:,} bytes, "
            f"{self.n_bytes / self.n_bytes_before:.1%} of {self.n_bytes_before:,}; "
            f"divergence {self.divergence:.2g}, agreement {self.agreement:.2%}"
        )


class CompressedStudent(AnsweringClassifier):
    """A student in fewer units and bits, which :func:`sk_distill.compress` makes.

    It predicts as a student does, with numpy alone, from the small arrays: a row looks
    up the weights that it needs, and only these become floating-point numbers.

    Attributes
    ----------
    compression_ : Compression
        What was saved, and what it changed.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    layers_ : list of Layer
        Weights, scales and biases.
    activation_ : str
        What hidden layers apply.
    encoder_ : object
        The encoding.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the student knows any.
    """

    compression_: Compression
    layers_: list[Layer]
    activation_: str

    def fit(self, X: Any, y: Any = None) -> NoReturn:
        """Raise: a compressed student is made, not fitted.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "CompressedStudent cannot be fitted. Fit a LinearStudent, an MLPStudent or "
            "a DistilledClassifier, and pass it to sk_distill.compress; to keep this "
            "one inside another estimator, wrap it in a FrozenEstimator."
        )

    def _block_logits(self, table: Table) -> NDArray[np.float64]:
        first, *others = self.layers_
        positions = self.encoder_.positions(table, np.float64)
        x = first.finish(self.encoder_.product(positions, first.weights))
        for layer in others:
            activate(x, self.activation_)
            x = layer.finish(x @ layer.weights.astype(np.float64))
        return x

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values and strings are welcome where the student's are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = getattr(self, "allow_missing_", False)
        tags.input_tags.string = getattr(self, "allow_missing_", False)
        return tags
