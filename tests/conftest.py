import numpy as np
import pytest
from sklearn.datasets import make_classification


def _table(n_classes):
    X, y = make_classification(
        240,
        6,
        n_informative=4,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        class_sep=0.8,
        flip_y=0.1,
        shuffle=False,
        random_state=0,
    )
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    # Tests share the arrays: a fit that writes to its rows must not go unseen.
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def binary():
    """240 rows of six columns, the last two noise, and labels 0 and 1."""
    return _table(2)


@pytest.fixture(scope="session")
def multiclass():
    """As ``binary``, with labels 0, 1 and 2."""
    return _table(3)


@pytest.fixture(scope="session")
def weight():
    """Positive weights of the 240 rows."""
    return np.random.default_rng(0).uniform(0.1, 3.0, size=240)
