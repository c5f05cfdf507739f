"""Training that goes on from weights made otherwise: what it learns, and how long."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from torch import nn

from sk_distill import FusedTeacher, MLPStudent, MLPTeacher
from sk_distill.compression.fine_tuning import fine_tune_network
from sk_distill.compression.network import read_network
from sk_distill.encoding import Table
from sk_distill.teachers import fused


class Net(nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 64), nn.Tanh(), nn.Linear(64, n_classes))


MLP = MLPTeacher((64,), max_iter=3, dropout=0.0, weight_decay=0.0)


@pytest.mark.parametrize("kind", [Net, MLP])
def test_a_fused_teacher_ends_between_labels_and_mean_probabilities(
    multiclass, kind, monkeypatch
):
    """Few rows can be learnt by heart: what is learnt then is (y + P) / 2."""
    X, y = multiclass[0][:12], multiclass[1][:12]
    fit_teachers, teachers = FusedTeacher._fit_teachers, []

    def keep(self, *args):
        teachers.extend(fit_teachers(self, *args))
        return teachers

    monkeypatch.setattr(FusedTeacher, "_fit_teachers", keep)
    monkeypatch.setattr(fused, "_FINE_TUNING_RATE", 0.02)
    model = FusedTeacher(kind, n_teachers=2, fine_tuning_epochs=300, random_state=0)
    proba = model.fit(X, y).predict_proba(X)
    said = np.mean([teacher.predict_proba(X) for teacher in teachers], axis=0)
    assert_allclose(proba, (np.eye(3)[y] + said) / 2, atol=0.02)
    # Neither labels alone nor probabilities alone are near.
    assert np.abs(np.eye(3)[y] - said).max() > 0.2


def test_a_pruned_network_does_not_learn_noise_by_heart(binary):
    """Early stopping watches held-out rows, whose soft targets tell nothing here."""
    X, y = binary
    student = MLPStudent(128, max_iter=3, random_state=0).fit(X, y)
    student.coefs_[1] *= 0
    noise = np.eye(2)[np.random.default_rng(0).permutation(np.arange(len(X)) % 2)]
    tuned = fine_tune_network(student, read_network(student), Table(X), noise, 0)
    student.coefs_, student.intercepts_ = tuned.coefs, tuned.intercepts
    loss = log_loss(noise, student.predict_proba(X))
    assert loss > 0.9 * np.log(2)
