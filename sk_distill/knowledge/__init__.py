"""What a teacher knows beside its probabilities: features and weights."""

from sk_distill.knowledge.inside import check_inside
from sk_distill.knowledge.kinds import (
    ONLY_PROBABILITIES,
    Features,
    Inquiry,
    check_knowledge,
)
from sk_distill.knowledge.tell import NOTHING_TOLD, Told, tell

__all__ = [
    "NOTHING_TOLD",
    "ONLY_PROBABILITIES",
    "Features",
    "Inquiry",
    "Told",
    "check_inside",
    "check_knowledge",
    "tell",
]
