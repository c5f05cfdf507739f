"""Files that to_python writes, what they are asked, and what is to be answered."""

import runpy

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from sk_distill.export import to_python


def exported(estimator, folder):
    return runpy.run_path(str(to_python(estimator, folder / "student.py")))


def assert_same_answers(file, student, X, rows=None):
    """A frame's own rows, many and one by one, are answered as the student does."""
    expected = student.predict_proba(X)
    rows = X.tolist() if rows is None else rows
    assert_allclose(file["predict_proba"](rows), expected, rtol=0, atol=1e-9)
    alone = [file["predict_proba"]([row])[0] for row in rows]
    assert_allclose(alone, expected, rtol=0, atol=1e-9)
    assert file["predict"](rows) == student.predict(X).tolist()
    assert file["self_check"]() < 1e-9


def mixed_table(n_rows=400, seed=0):
    """Numbers, strings, objects and booleans with missing cells and rare levels."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(size=n_rows),
            "kind": rng.choice(["b", "a", "c d"], n_rows),
            "flag": rng.random(n_rows) > 0.5,
            "code": rng.choice(np.array(["x", 1, 2.5], dtype=object), n_rows),
            "spent": rng.normal(1e6, 1.0, size=n_rows),
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, "amount"] = np.nan
    frame.loc[rng.random(n_rows) < 0.1, "kind"] = None
    frame.loc[:2, "kind"] = "rare"
    y = np.where(
        frame["amount"].fillna(0) + (frame["kind"] == "a") + rng.normal(size=n_rows)
        > 1,
        "yes",
        "no",
    )
    return frame, y


def cells_of(frame):
    return [list(row) for row in frame.itertuples(index=False)]
