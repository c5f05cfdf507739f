import numpy as np
import pandas as pd
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


@pytest.fixture(scope="session")
def mixed():
    """300 rows with every kind of column, and labels of three classes."""
    rng = np.random.default_rng(0)
    number = rng.normal(1e3, 5.0, size=300)
    color = rng.choice(["red", "green", "blue"], size=300).astype(object)
    score = (number - 1e3) / 5 + 2 * (color == "red") + rng.normal(size=300)
    labels = np.array(["high", "low", "mid"])[np.digitize(score, [0.0, 1.5])]
    number[rng.random(300) < 0.1] = np.nan
    color[rng.random(300) < 0.1] = None
    color[:3] = "rare"
    frame = pd.DataFrame(
        {
            # In float32, as graphs have them: so nothing but an export differs.
            "number": number.astype(np.float32),
            "eye color": color,
            "flag": rng.random(300) < 0.5,
            "whole": rng.integers(0, 50, 300),
            "constant": 7.0,
        }
    )
    return frame, labels


@pytest.fixture
def mixed_frame(mixed):
    """The columns of ``mixed``: numbers, text, booleans, whole numbers, one value."""
    return mixed[0].copy()


@pytest.fixture
def mixed_labels(mixed):
    """The labels of ``mixed``: "high", "low" and "mid"."""
    return mixed[1].copy()


@pytest.fixture
def strange_rows(mixed_frame):
    """Rows of ``mixed`` with what a fit has not seen."""
    rows = mixed_frame.iloc[:60].copy()
    rows["whole"] = rows["whole"].astype(float)
    rows.loc[:9, "eye color"] = "unknown"
    rows.loc[10:19, "eye color"] = np.nan
    rows.loc[20:29, "number"] = np.nan
    rows.loc[30:39, "whole"] = np.nan
    rows.loc[40:49, "constant"] = [np.nan, 6.0, 8.0, 1e9, -1e9] * 2
    rows.loc[50:53, "number"] = [1e12, -1e12, 999.0, 1001.0]
    return rows
