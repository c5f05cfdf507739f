"""The objectives of a stack's members, evaluated at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sk_distill.training.data import UNLABELLED
from sk_distill.training.objective import Objective, Targets


class StackedObjective(Objective):
    """One :class:`Objective` for each member of a stack, all of them on the same rows.

    They share the distillation loss and differ in λ and T. Where each is a
    cross-entropy with a blend of y and P, the blends are made from the same two
    tensors, a batch at a time, so that λ costs no memory.

    Shape: logits ``(n_members, n_rows, n_outputs)`` -> values ``(n_members,)``.

    Parameters
    ----------
    objectives : sequence of Objective
    """

    hard_shares: Tensor
    soft_shares: Tensor
    hint_shares: Tensor
    pulls: Tensor

    def __init__(self, objectives: Sequence[Objective]) -> None:
        nn.Module.__init__(self)
        self.objectives = list(objectives)
        for name in ("hard_share", "soft_share", "hint_share", "pull"):
            shares = [getattr(objective, name) for objective in objectives]
            column = torch.tensor(shares, dtype=torch.float64)[:, None, None]
            self.register_buffer(f"{name}s", column, persistent=False)

    @property
    def blends(self) -> bool:
        """Whether every member's two terms are one cross-entropy."""
        return all(objective.blends for objective in self.objectives)

    def make_targets(
        self,
        codes: NDArray[Any] | None,
        soft_targets: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
        hints: NDArray[Any] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return what :meth:`forward` wants; see :meth:`Objective.make_targets`."""
        assert codes is not None
        assert soft_targets is not None
        # What a member of two terms wants serves all, and of blends what they share.
        one = min(self.objectives, key=lambda o: (o.blends, o.soft_share == 0))
        targets = one.make_targets(codes, soft_targets, sample_weight, hints)
        if self.blends:
            del targets["blend"]
            labels = np.zeros(soft_targets.shape)
            labelled = np.flatnonzero(codes != UNLABELLED)
            labels[labelled, codes[labelled]] = 1
            targets |= {"labels": labels, "soft_targets": soft_targets}
        return targets

    def _share_of_hints(self, outputs: Tensor) -> Tensor:
        return self.hint_shares[..., 0].to(outputs)

    def pull_of(self, anchor: Tensor) -> Tensor:
        """Return the weight of the pull on each member."""
        return self.pulls.to(anchor)

    def _blend(self, targets: Targets) -> Tensor | None:
        if "labels" not in targets:
            return None
        labels, proba = (targets[k].mT.contiguous() for k in ("labels", "soft_targets"))
        # Shares are kept in double precision for nets that are.
        hard, soft = self.hard_shares.to(labels), self.soft_shares.to(labels)
        return torch.addcmul(hard * labels, soft, proba).mT

    def _two_terms(
        self, logits: Tensor, teacher_logits: Tensor, codes: Tensor | None
    ) -> Tensor:
        return torch.stack(
            [
                objective._two_terms(member, teacher_logits, codes)
                for objective, member in zip(self.objectives, logits, strict=True)
            ]
        )
