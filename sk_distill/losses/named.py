"""The losses that have a name."""

from collections.abc import Callable

from torch import Tensor

from sk_distill.losses.decoupled import Decoupled
from sk_distill.losses.dist import Dist
from sk_distill.losses.kl import kl_divergence
from sk_distill.losses.logit_mse import logit_mse
from sk_distill.losses.soft_cross_entropy import soft_cross_entropy

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

LOSSES: dict[str, Loss] = {
    "soft_cross_entropy": soft_cross_entropy,
    "kl": kl_divergence,
    "logit_mse": logit_mse,
    "decoupled": Decoupled(),
    "dist": Dist(),
}


def resolve_loss(loss: str | Loss) -> Loss:
    """Return the loss of a name, or the loss itself."""
    return LOSSES[loss] if isinstance(loss, str) else loss
