"""A student by every loss, kind of knowledge, schedule and fusion: ``--methods``.

Each group has a teacher of its own and begins with the row that the others in it are
to be compared with. Losses and fusion label rows out of fold; what looks into a
teacher, or trains it beside the student, has one that is fitted on all rows.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sk_distill import (
    DistilledClassifier,
    FusedTeacher,
    MLPStudent,
    MLPTeacher,
    VotingTeacher,
)
from sk_distill.losses import Decoupled

# Weights that were not searched for: those of the papers, or one.
LOSSES: dict[str, dict[str, Any]] = {
    "soft cross-entropy": {},
    "soft cross-entropy, T = 3": {"temperature": 3.0},
    "logit MSE": {"loss": "logit_mse"},
    "decoupled, T = 3": {"loss": Decoupled(beta=2.0), "temperature": 3.0},
    "dist": {"loss": "dist"},
}

KNOWLEDGE: dict[str, Any] = {
    "probabilities": "probabilities",
    "features": "features",
    "probabilities + features": {"probabilities": 1.0, "features": 1.0},
    "weights": "weights",
    "probabilities + weights": {"probabilities": 1.0, "weights": 0.1},
}

SCHEDULES = ("teacher_first", "joint", "mutual")


def methods(boosting: Any, forest: Any, seed: int, memory: str) -> dict[str, Any]:
    """Return the classifiers by name; a teacher comes first, and before its group."""
    network = MLPTeacher(random_state=seed)
    plain = DistilledClassifier(
        boosting,
        MLPStudent(),
        distillation_weight=3.0,
        memory=memory,
        random_state=seed,
    )
    out_of_fold = clone(plain).set_params(teacher_cv=5)
    found: dict[str, Any] = {
        "teacher": clone(boosting),
        "labels alone": MLPStudent(random_state=seed),
    }
    for name, params in LOSSES.items():
        found[f"loss: {name}"] = clone(out_of_fold).set_params(**params)

    found["teacher: MLPTeacher"] = clone(network)
    of_network = clone(plain).set_params(teacher=network)
    for name, knowledge in KNOWLEDGE.items():
        found[f"network: {name}"] = clone(of_network).set_params(knowledge=knowledge)
    found["teacher: forest"] = clone(forest)
    of_forest = clone(plain).set_params(teacher=forest)
    for name in ("probabilities", "features", "probabilities + features"):
        found[f"forest: {name}"] = clone(of_forest).set_params(
            knowledge=KNOWLEDGE[name]
        )

    for schedule in SCHEDULES:
        found[f"schedule: {schedule}"] = clone(of_network).set_params(
            schedule=schedule, distillation_weight=1.0
        )

    members = [("boosting", boosting), ("forest", forest)]
    fusions: dict[str, Any] = {
        "one teacher": boosting,
        "mean of probabilities": VotingTeacher(members),
        "mean of logits": VotingTeacher(members, average="logits"),
        "learned weights": VotingTeacher(members, weights="learned"),
    }
    for name, teacher in fusions.items():
        if name != "one teacher":
            found[f"teacher: {name}"] = clone(teacher)
        found[f"fusion: {name}"] = clone(out_of_fold).set_params(teacher=teacher)
    fused = FusedTeacher(random_state=seed)
    found["teacher: networks fused"] = fused
    found["fusion: networks fused"] = clone(plain).set_params(teacher=clone(fused))
    return found
