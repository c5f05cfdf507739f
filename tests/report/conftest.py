"""Small models to report on."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sk_distill import (
    DistilledClassifier,
    LinearStudent,
    distillation_report,
)
from sk_distill.report import costs


@pytest.fixture(autouse=True)
def _short_timings(monkeypatch):
    """One call is enough where nobody reads the microseconds."""
    monkeypatch.setattr(costs, "_SECONDS", 0)
    monkeypatch.setattr(costs, "_REPEATS", 1)


@pytest.fixture(scope="session")
def forest():
    """A small teacher, not fitted; whoever takes it clones it."""
    return RandomForestClassifier(10, max_depth=4, random_state=0)


@pytest.fixture(scope="session")
def distilled(forest):
    """A function that returns a small model, not fitted."""

    def make(**params):
        return DistilledClassifier(
            forest, "linear", teacher_cv=3, random_state=0, **params
        )

    return make


@pytest.fixture(scope="session")
def report():
    """A function that reports with few resamples."""

    def make(model, X, y, **params):
        return distillation_report(model, X, y, **{"n_bootstraps": 5, **params})

    return make


@pytest.fixture(scope="session")
def two(binary, distilled):
    """A model of two classes, fitted on half of the rows, and the other half."""
    X, y = binary
    return distilled().fit(X[:120], y[:120]), X[120:], y[120:]


@pytest.fixture(scope="session")
def three(multiclass, distilled):
    """The same with three classes, which are strings."""
    X, y = multiclass
    y = np.array(["ham", "eggs", "spam"])[y]
    return distilled().fit(X[:120], y[:120]), X[120:], y[120:]


@pytest.fixture(scope="session")
def mixed():
    """A frame with categories, missing values, and names that are markup."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "<b>number</b> & more": rng.normal(size=300),
            "level": rng.choice(["<script>alert(1)</script>", "b", "c"], size=300),
            "noise": rng.integers(0, 3, size=300),
        }
    )
    z = X.iloc[:, 0] + 2 * (X["level"] == "b") + rng.normal(size=300)
    X.loc[:40, "<b>number</b> & more"] = np.nan
    X.loc[50:80, "level"] = None
    y = np.where(z > 1, "<i>yes</i>", "no")
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["level"]), remainder="passthrough"
    )
    teacher = make_pipeline(
        encoder, HistGradientBoostingClassifier(max_iter=10, random_state=0)
    )
    model = DistilledClassifier(
        teacher, LinearStudent(encoding="quantile", n_bins=8), random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y), X, y
