"""The net of several groups of members, each with rows and an objective of its own."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sk_distill.training.batches import GroupedBatches, TensorBatches
from sk_distill.training.objective import Objective, Targets
from sk_distill.training.tensor_net import VALIDATION_ROWS, TensorNet


class GroupedObjective(nn.Module):
    """The objectives of all members: for each group its own.

    Parameters
    ----------
    parts : sequence of Objective
        One for each group.
    """

    def __init__(self, parts: Sequence[Objective]) -> None:
        super().__init__()
        self.objectives = nn.ModuleList(parts)

    @property
    def parts(self) -> list[Objective]:
        """Return the groups' objectives."""
        return cast("list[Objective]", list(self.objectives))

    def forward(self, logits: Sequence[Tensor], targets: Sequence[Targets]) -> Tensor:
        """Return the value of every member of every group."""
        groups = zip(self.parts, logits, targets, strict=True)
        values = [part(z, known) for part, z, known in groups]
        return torch.cat([value.reshape(-1) for value in values])

    def value_and_gradient(
        self, logits: Sequence[Tensor], targets: Sequence[Targets]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return what :meth:`forward` returns, and its gradient for each group."""
        groups = zip(self.parts, logits, targets, strict=True)
        outcomes = [part.value_and_gradient(z, known) for part, z, known in groups]
        values, gradients = zip(*outcomes, strict=True)
        return torch.cat([value.reshape(-1) for value in values]), list(gradients)


class GroupedNet(TensorNet):
    """A :class:`TensorNet` of a :class:`GroupedMLP`, over rows of each group.

    Parameters
    ----------
    penalties, weight_decays : sequence of float
        The L2 penalty and the weight decay of each group's members.
    """

    def __init__(
        self,
        *args: Any,
        penalties: Sequence[float] = (),
        weight_decays: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        self.penalties = penalties
        self.weight_decays = weight_decays
        super().__init__(*args, **kwargs)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return batches of the groups' rows, in an order of its own for each."""
        size = self.batch_size if training else VALIDATION_ROWS
        return GroupedBatches(
            [
                TensorBatches(rows, size, shuffle=training, generator=stack.generator)
                for rows, stack in zip(dataset, self.module_.stacks, strict=True)
            ]
        )

    def _record(self, prefix: str, losses: NDArray[Any]) -> float:
        """Record the loss of every member, and the mean of those that still count.

        One that has stopped goes through the steps of the others all the same, and may
        come to where its loss is no number.
        """
        counts = dict(self.callbacks_)["member_stopping"].is_running_
        self.history.record(f"{prefix}_losses", losses)
        mean = float(losses[counts].mean())
        self.history.record(f"{prefix}_loss", mean)
        return mean

    def _batch_sizes(self, inputs: Sequence[Tensor]) -> Any:
        return self._of_members([len(batch) for batch in inputs])

    def _penalties_of(self, name: str) -> tuple[Any, Any]:
        if name.startswith("firsts."):
            group = int(name.split(".")[1])
            return self.penalties[group], self.weight_decays[group]
        return tuple(
            self._of_members(values)[:, None, None]
            for values in (self.penalties, self.weight_decays)
        )

    def _first_weights(self) -> list[nn.Parameter]:
        return [stack.weights[0] for stack in self.module_.stacks]

    def _of_members(self, values: Sequence[float]) -> Any:
        """Return what groups have as what their members have."""
        n_members = [stack.n_members for stack in self.module_.stacks]
        return np.repeat(values, n_members)
