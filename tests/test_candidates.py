"""How the candidates of a search are scored."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

from sk_distill.candidates import make_scorer_of


class Says:
    """A classifier that gives the probabilities that it was made with."""

    def __init__(self, proba):
        self.proba = proba

    def predict_proba(self, X):
        return self.proba


@pytest.mark.parametrize("weight", [None, np.arange(40.0)])
@pytest.mark.parametrize("classes", [[0, 1], [-3, 5, 70], ["ham", "spam", "tofu"]])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_log_loss_is_scikit_learns(classes, weight, dtype):
    """Also of rows that lack a class, and of probabilities of zero and one."""
    classes = np.array(classes)
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(len(classes), 0.3), 40).astype(dtype)
    proba[:3] = np.eye(len(classes))[[0, 0, -1]]
    y = rng.choice(classes[:-1], 40)
    scorer = make_scorer_of(object(), "neg_log_loss", classes)
    expected = -log_loss(y, proba, sample_weight=weight, labels=classes)
    score = scorer(Says(proba), None, y, sample_weight=weight)
    assert_allclose(score, expected, rtol=1e-6)
