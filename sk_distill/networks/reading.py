"""Looking at the rows of a fit before anything is learnt from them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags

from sk_distill.encoding import Table, check_columns, check_table
from sk_distill.networks.answering import AnsweringClassifier
from sk_distill.networks.knowledge import Knowledge
from sk_distill.networks.parameters import weigh_rows
from sk_distill.networks.rows import Rows
from sk_distill.validation import (
    check_probabilities,
    check_sample_weight,
    encode_labels,
    name_of,
)


class ReadingClassifier(AnsweringClassifier):
    """A classifier that checks tables, labels and soft targets before a fit."""

    encoding: str | None
    class_weight: Any

    def __sklearn_tags__(self) -> Tags:
        """Say that missing values and strings are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.encoding is not None
        tags.input_tags.string = self.encoding is not None
        return tags

    def _check_before_fit(self, X: Any) -> Table:
        """Refuse parameters and rows that cannot be used; return the rows."""
        self._check_parameters()
        categorical = None
        if getattr(self, "warm_start", False) and hasattr(self, "classes_"):
            self._check_columns_of_earlier_fit(X)
            categorical = self.encoder_.levels_
        return check_table(
            self,
            X,
            allow_missing=self.encoding is not None,
            allow_categories=self.encoding is not None,
            categorical=categorical,
        )

    def _read(
        self,
        table: Table,
        y: Any,
        sample_weight: ArrayLike | None,
        soft_targets: ArrayLike | None,
        transfer_X: Any,
        transfer_targets: ArrayLike | None,
        knowledge: Knowledge,
    ) -> tuple[Rows, Rows | None]:
        """Return the checked rows that weigh something, and the transfer rows."""
        classes, codes, proba = self._check_targets(table, y, soft_targets)
        self._check_classes_of_earlier_fit(classes)
        self._check_module(table, len(classes))
        weight = check_sample_weight(self, sample_weight, len(table))
        first_layer = self._first_layer(knowledge, proba)
        rows = Rows(
            table, codes, proba, weight, knowledge.hints, first_layer
        ).without_weightless()
        weight = weigh_rows(self, self.class_weight, classes, rows.codes, rows.weight)
        transfer = self._check_transfer(
            transfer_X, transfer_targets, table, len(classes)
        )
        if transfer is not None:
            transfer = transfer._replace(hints=knowledge.transfer_hints)
        self.classes_ = classes
        # A class of weight 0 is as good as absent, too.
        return rows._replace(weight=weight).without_weightless(), transfer

    def _check_transfer(
        self, X: Any, targets: ArrayLike | None, table: Table, n_classes: int
    ) -> Rows | None:
        """Return the checked transfer rows."""
        if X is None:
            if targets is None:
                return None
            raise ValueError(
                f"{name_of(self)}: transfer_targets without transfer_X; pass both, or "
                "neither."
            )
        transfer = self._read_transfer(X, table)
        proba = check_probabilities(
            "transfer_targets", targets, len(transfer), n_classes
        )
        return Rows(transfer, None, proba)

    def _read_transfer(self, X: Any, table: Table) -> Table:
        """Return transfer rows, with the categorical columns of the labelled ones."""
        return check_table(
            self,
            X,
            allow_missing=self.encoding is not None,
            categorical=table.categories,
            reset=False,
        )

    def _check_columns_of_earlier_fit(self, X: Any) -> None:
        try:
            check_columns(self, X, reset=False)
        except ValueError as error:
            raise ValueError(
                f"{name_of(self)}: warm_start=True goes on with the columns of the "
                f"earlier fit. {error} Set warm_start=False to start anew."
            ) from error

    def _check_targets(
        self, X: Table, y: Any, soft_targets: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[np.float64] | None]:
        """Return the classes, the label codes and the checked soft targets."""
        if soft_targets is None:
            classes, codes = encode_labels(self, X, y)
            return classes, codes, None
        if y is not None:
            classes, codes = encode_labels(self, X, y)
        else:
            classes, codes = np.arange(np.shape(soft_targets)[-1]), None
        proba = check_probabilities("soft_targets", soft_targets, len(X), len(classes))
        return classes, codes, proba

    def _starts_warm(self) -> bool:
        """Whether this fit goes on from the weights of the one before."""
        return getattr(self, "warm_start", False) and hasattr(self, "encoder_")

    def _check_classes_of_earlier_fit(self, classes: NDArray[Any]) -> None:
        if self._starts_warm() and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{name_of(self)}: warm_start=True goes on with the classes of the "
                f"earlier fit, {self.classes_.tolist()}; y has {classes.tolist()}. Set "
                "warm_start=False to start anew."
            )

    def _first_layer(
        self, knowledge: Knowledge, proba: NDArray[np.float64] | None
    ) -> NDArray[Any] | None:
        """Return what units of the first layer are to begin as, if that is known."""
        return knowledge.first_layer

    def _n_first_units(self) -> int:
        """Return how many units of the first layer a teacher's units can begin."""
        return 0

    def _check_knowledge(self, features: bool, weights: bool) -> None:
        """Refuse to learn more of a teacher than its probabilities."""
        if features or weights:
            kind = "features" if features else "weights"
            raise ValueError(
                f"{name_of(self)} cannot learn knowledge={kind!r}: its layers are "
                "its own affair. Choose an MLPStudent (features and weights), a "
                "LinearStudent (weights), or knowledge='probabilities'."
            )

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise for a parameter that cannot be used."""

    def _check_module(self, table: Table, n_classes: int) -> None:
        """Raise for a module that cannot take such rows or tell so many classes."""
