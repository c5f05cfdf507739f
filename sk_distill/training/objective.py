"""L = L_student + λ · L_distillation, as one torch criterion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from sk_distill.inference import PROBABILITY_FLOOR
from sk_distill.losses import (
    Loss,
    kl_divergence,
    logit_mse,
    resolve_loss,
    soft_cross_entropy,
)
from sk_distill.training.data import UNLABELLED
from sk_distill.training.shares import SOFT_TARGETS_ALONE, Shares

Targets = Mapping[str, Tensor]


class Objective(nn.Module):
    r"""The student's objective, divided by 1 + λ.

    .. math::

        \frac{1}{1 + λ} \text{CE}(y, \text{softmax}(z))
        + \frac{λ}{1 + λ} T^2 \, \ell(z / T, v / T)

    with the student's logits z, the teacher's v and the distillation loss ℓ, by
    default the soft cross-entropy (Hinton, Vinyals & Dean 2015, arXiv:1503.02531,
    section 2.1); z and v are what its ``prepare_logits`` makes of them, if it has one.
    Dividing by 1 + λ keeps the minimiser, frees the step size from λ and makes λ = inf
    (the teacher alone) a legal value.

    λ also multiplies ``knowledge``: the second term by its weight of probabilities, and
    where the network has outputs r beside the logits, half their mean squared distance
    to the teacher's hints f (Romero et al. 2015, arXiv:1412.6550, equation 3, with the
    mean over hints for the sum) by the weight of features.
    """

    def __init__(
        self,
        distillation_weight: float = 0.0,
        temperature: float = 1.0,
        loss: str | Loss = "soft_cross_entropy",
        knowledge: Shares = SOFT_TARGETS_ALONE,
    ) -> None:
        super().__init__()
        self.distillation_weight = distillation_weight
        self.knowledge = knowledge
        self.hard_share = 1.0 / (1.0 + distillation_weight)
        teacher_share = 1.0 - self.hard_share
        self.soft_share = teacher_share * knowledge.probabilities
        self.hint_share = teacher_share * knowledge.features
        self.pull = teacher_share * knowledge.weights
        self.temperature = temperature
        self.loss: Loss = resolve_loss(loss)

    @property
    def blends(self) -> bool:
        """Whether both terms are one cross-entropy with the blend of y and P."""
        return self.loss is soft_cross_entropy and self.temperature == 1.0

    @property
    def is_convex(self) -> bool:
        """Whether it is known to be convex in the logits.

        Then a linear student ends in one place wherever it began.
        """
        convex = (soft_cross_entropy, kl_divergence, logit_mse)
        return self.soft_share == 0 or any(self.loss is loss for loss in convex)

    def with_cross_entropy(self) -> "Objective":
        """Return the objective of the same λ with T = 1 and the soft cross-entropy."""
        return Objective(self.distillation_weight, knowledge=self.knowledge)

    def make_targets(
        self,
        codes: NDArray[Any] | None,
        soft_targets: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
        hints: NDArray[Any] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays that :meth:`forward` wants beside the logits.

        Parameters
        ----------
        codes : ndarray of shape (n_rows,) or None
            The label of each row as a column of ``soft_targets``, ``UNLABELLED``
            where it has none: then the row is in the second term only. None where
            only the teacher speaks (λ = inf).
        soft_targets : ndarray of shape (n_rows, n_classes) or None
            The teacher's probabilities; None where only labels speak (λ = 0).
        sample_weight : ndarray of shape (n_rows,) or None
            Positive weights; scaled here to mean 1, so that the objective is a
            weighted mean over all rows whatever batch they come in.
        hints : ndarray of shape (n_rows, n_hints) or None
            What the last outputs are to be.
        """
        targets: dict[str, NDArray[Any]] = {}
        if hints is not None:
            targets["hints"] = hints
        if soft_targets is None or (self.soft_share == 0 and hints is None):
            assert codes is not None, "rows without a label need soft targets"
            targets["codes"] = codes.astype(np.int64)
        elif self.blends:
            blend = self.soft_share * soft_targets
            if self.hard_share > 0:
                assert codes is not None
                labelled = np.flatnonzero(codes != UNLABELLED)
                blend[labelled, codes[labelled]] += self.hard_share
            targets["blend"] = blend
        else:
            logits = np.log(np.clip(soft_targets, PROBABILITY_FLOOR, None))
            logits -= logits.mean(axis=1, keepdims=True)
            targets["teacher_logits"] = logits
            if codes is not None:
                targets["codes"] = codes.astype(np.int64)
        if sample_weight is not None:
            targets["weight"] = sample_weight * (
                len(sample_weight) / sample_weight.sum()
            )
        return targets

    def forward(self, logits: Tensor, targets: Targets) -> Tensor:
        """Return the weighted mean over rows, one for each member of a stack."""
        of_hints: Tensor | float = 0.0
        if "hints" in targets:
            n_hints = targets["hints"].shape[-1]
            logits, told = logits[..., :-n_hints], logits[..., -n_hints:]
            share = self._share_of_hints(told)
            of_hints = share * self._hint_losses(told, targets["hints"])
        elif "blend" in targets and "weight" not in targets and logits.ndim == 2:
            # The usual case, in one call: it halves the time of the loss.
            return cross_entropy(both_columns(logits), targets["blend"])
        per_row = self.per_row(logits, targets) + of_hints
        if "weight" in targets:
            per_row = per_row * targets["weight"]
        return per_row.mean(dim=-1)

    @torch.no_grad()
    def value_and_gradient(
        self, logits: Tensor, targets: Targets
    ) -> tuple[Tensor, Tensor]:
        """Return what :meth:`forward` returns, and its gradient for the logits.

        A cross-entropy, with labels or with a blend t, has the gradient
        ``softmax(z) * sum(t) - t``; any other loss is left to autograd.
        """
        if "hints" in targets:
            return self._with_hints(logits, targets)
        if "teacher_logits" in targets:
            with torch.enable_grad():
                leaf = logits.detach().requires_grad_()
                loss = self(leaf, targets)
                (gradient,) = torch.autograd.grad(loss.sum(), leaf)
            return loss.detach(), gradient
        # Rows as columns, as the network has them: many are added up at once.
        z = logits.mT
        if z.shape[-2] == 1:
            z = torch.cat([torch.zeros_like(z), z], dim=-2)
        log_q = log_softmax(z, dim=-2)
        blend = self._blend(targets)
        if blend is not None:
            blend = blend.mT
            per_row = -(blend * log_q).sum(-2)
            gradient = log_q.exp_().mul_(blend.sum(-2, keepdim=True)).sub_(blend)
        else:
            codes = targets["codes"].expand(*log_q.shape[:-2], 1, -1)
            per_row = -log_q.gather(-2, codes).squeeze(-2)
            minus_one = log_q.new_full((1,), -1.0).expand(codes.shape)
            gradient = log_q.exp_().scatter_add_(-2, codes, minus_one)
        if "weight" in targets:
            per_row = per_row * targets["weight"]
            gradient = gradient * targets["weight"]
        gradient /= per_row.shape[-1]
        # The first column of a net of one logit is a constant.
        return per_row.mean(dim=-1), gradient.mT[..., -logits.shape[-1] :]

    def _with_hints(self, outputs: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Return the value and the gradient where the last outputs tell of hints."""
        hints = targets["hints"]
        rest = {k: v for k, v in targets.items() if k != "hints"}
        n_rows, n_hints = hints.shape
        told = outputs[..., -n_hints:]
        value, gradient = self.value_and_gradient(outputs[..., :-n_hints], rest)
        share = self._share_of_hints(told)
        of_hints = share * self._hint_losses(told, hints)
        scale = share / n_hints
        if "weight" in targets:
            of_hints = of_hints * targets["weight"]
            scale = scale * targets["weight"]
        row_gradient = (told - hints) * _as_column(scale) / n_rows
        gradient = torch.cat([gradient.mT, row_gradient.mT], dim=-2).mT
        return value + of_hints.mean(dim=-1), gradient

    def _share_of_hints(self, outputs: Tensor) -> Any:
        """Return the weight of the hints: a number, or a column of one a member."""
        return self.hint_share

    def pull_of(self, anchor: Tensor) -> Any:
        """Return the weight of the pull: a number, or one for each member."""
        return self.pull

    def _hint_losses(self, told: Tensor, hints: Tensor) -> Tensor:
        """Return half the mean squared distance to the hints, for each row."""
        return 0.5 * (told - hints).square().mean(dim=-1)

    def per_row(self, logits: Tensor, targets: Targets) -> Tensor:
        """Return the objective of each row, shape ``logits.shape[:-1]``."""
        logits = both_columns(logits)
        blend = self._blend(targets)
        if blend is not None:
            return -(blend * log_softmax(logits, dim=-1)).sum(-1)
        if "teacher_logits" not in targets:
            return hard_cross_entropy(logits, targets["codes"])
        return self._two_terms(logits, targets["teacher_logits"], targets.get("codes"))

    def _blend(self, targets: Targets) -> Tensor | None:
        """Return the blend of y and P; None where that is not all there is to it."""
        return targets.get("blend")

    def _two_terms(
        self, logits: Tensor, teacher_logits: Tensor, codes: Tensor | None
    ) -> Tensor:
        """Return the objective of each row by its definition."""
        t = self.temperature
        z, v, labels = logits, teacher_logits, codes
        prepare = getattr(self.loss, "prepare_logits", None)
        if prepare is not None:
            z, v = prepare(z), prepare(v)
        if self.hard_share == 0 and codes is not None:
            # λ = inf does not depend on the labels, whatever the loss does with them.
            labels = torch.full_like(codes, UNLABELLED)
        soft = self.loss(z / t, v / t, labels)
        if not isinstance(soft, Tensor) or soft.shape != logits.shape[:-1]:
            returned = (
                f"shape {tuple(soft.shape)}"
                if isinstance(soft, Tensor)
                else f"{type(soft).__name__} {soft!r}"
            )
            raise ValueError(
                f"loss {self.loss!r} returned {returned}; expected a tensor of one "
                f"value a row, {tuple(logits.shape[:-1])}. Sum over the class axis "
                "(dim=-1) and leave the mean over rows to the caller."
            )
        soft = t * t * soft
        if self.hard_share == 0 or codes is None:
            return self.soft_share * soft
        hard = hard_cross_entropy(logits, codes)
        return self.hard_share * hard + self.soft_share * soft


def _as_column(scale: Any) -> Any:
    """Return what multiplies rows: a number as it is, a value a row as a column."""
    return scale.unsqueeze(-1) if isinstance(scale, Tensor) else scale


def both_columns(logits: Tensor) -> Tensor:
    """Turn the one logit of a binary net into two: ``softmax([0, z])[1] = σ(z)``."""
    if logits.shape[-1] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=-1)


def hard_cross_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    """Return ``-log softmax(logits)[codes]``, also for stacked members."""
    if logits.ndim == 2:
        return cross_entropy(logits, codes, reduction="none")
    flat = codes.expand(logits.shape[:-1]).reshape(-1)
    loss = cross_entropy(logits.reshape(-1, logits.shape[-1]), flat, reduction="none")
    return loss.reshape(logits.shape[:-1])
