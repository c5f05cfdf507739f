"""Small nets and students of the tests, and how they are fitted."""

import re

import numpy as np
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import DistilledClassifier, MLPStudent
from sk_distill.teachers.skorch_net import SkorchTeacher


def says(*parts):
    """Return a pattern that finds the parts in order."""
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


def skorch_net(module=None, kind=NeuralNetClassifier, **params):
    defaults = {"criterion": nn.CrossEntropyLoss, "max_epochs": 3, "verbose": 0}
    return kind(module or nn.Linear(6, 3), **defaults | params)


def student(**params):
    """Return a small network without hold-out."""
    return MLPStudent((4,), **{"max_iter": 3, "random_state": 0} | params)


def teach(net, X, y, **params):
    return SkorchTeacher(net, **params).fit(X, y)


def distil(net, X, y, **params):
    """Return the student, taught by smoothed labels."""
    proba = np.full((len(y), y.max() + 1), 0.1 / y.max())
    proba[np.arange(len(y)), y] = 0.9
    model = DistilledClassifier(student=net, random_state=0, **params)
    return model.fit(X, y, teacher_proba=proba).student_
