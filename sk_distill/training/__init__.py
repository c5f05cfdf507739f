"""Training through skorch: the net, its batches, its solvers, its objective."""

from sk_distill.training.data import UNLABELLED, TrainingData
from sk_distill.training.fit import (
    TrainedModule,
    train_joint,
    train_module,
    train_path,
)
from sk_distill.training.joint import JointModule
from sk_distill.training.net import check_plan
from sk_distill.training.objective import Objective
from sk_distill.training.plan import TrainingPlan
from sk_distill.training.shares import Shares
from sk_distill.training.stacks import StackPart, TrainedStack, train_stacks

__all__ = [
    "UNLABELLED",
    "JointModule",
    "Objective",
    "Shares",
    "StackPart",
    "TrainedModule",
    "TrainedStack",
    "TrainingData",
    "TrainingPlan",
    "check_plan",
    "train_joint",
    "train_module",
    "train_path",
    "train_stacks",
]
