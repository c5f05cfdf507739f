"""Estimators to draw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from sk_distill import DistilledClassifierCV, LinearStudent


@pytest.fixture(autouse=True)
def _figures_unseen():
    """Open no window, and leave no figure to the next test."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield
    pyplot.close("all")


@pytest.fixture(scope="session")
def forest():
    """A small teacher, not fitted; whoever takes it clones it."""
    return RandomForestClassifier(10, max_depth=4, random_state=0)


@pytest.fixture(scope="session")
def search(binary, forest):
    return DistilledClassifierCV(
        forest,
        LinearStudent(alpha=100.0),
        distillation_weights=[0.5, 2],
        temperatures=(1, 3),
        cv=4,
        teacher_cv=3,
        random_state=0,
    ).fit(*binary)


@pytest.fixture(scope="session")
def table():
    """A frame of numbers and levels, some missing, and three classes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "number": rng.normal(size=300),
            "level": rng.choice(["a", "b", "c"], size=300),
            "noise": rng.normal(size=300),
        }
    )
    y = np.digitize(
        X["number"] + (X["level"] == "a") + rng.normal(size=300) / 2, [-0.5, 1]
    )
    X.loc[:20, "number"] = np.nan
    X.loc[30:50, "level"] = None
    return X, np.array(["low", "middle", "high"])[y]


@pytest.fixture(scope="session")
def additive(table):
    return LinearStudent(encoding="quantile", n_bins=8).fit(*table)
