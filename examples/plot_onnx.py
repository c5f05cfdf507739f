"""
Serving from ONNX
=================

A student leaves Python in one call. The file takes the columns of a frame, strings and
missing values included, and gives a label and probabilities; whatever reads ONNX serves
it, in C++, Java, JavaScript or, as here, with onnxruntime.
"""

# %%
# A student of a mixed table
# --------------------------

from pathlib import Path
from tempfile import mkdtemp
from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sk_distill import DistilledClassifier, LinearStudent
from sk_distill.export import to_onnx

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X["sex"] = X["sex"].map({1: "a", 2: "b"})
X.loc[::10, "s6"] = np.nan
y = np.where(progression > 140, "progresses", "stable")
forest = make_pipeline(
    make_column_transformer(
        (OrdinalEncoder(), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    ),
    RandomForestClassifier(300, min_samples_leaf=5),
)
model = DistilledClassifier(
    forest,
    LinearStudent(encoding="piecewise_linear"),
    distillation_weight=3,
    random_state=0,
).fit(X, y)

# %%
# One call
# --------
# With rows to compare on, a warning would say where the file answers otherwise.

path = to_onnx(model, Path(mkdtemp()) / "student.onnx", X)
session = onnxruntime.InferenceSession(path)
print(f"{path.name}: {path.stat().st_size:,} bytes")
for column in session.get_inputs():
    print(f"in:  {column.name:15}{column.type}")
for answer in session.get_outputs():
    print(f"out: {answer.name:15}{answer.type}")

# %%
# The way of a request
# --------------------
# A request is a dict with an array of shape ``(n_rows, 1)`` for each column: float32
# for numbers, NaN where one is missing, and strings.


def as_request(table):
    """Return the columns as onnxruntime wants them."""
    request = {}
    for name, column in table.items():
        is_number = pd.api.types.is_numeric_dtype(column)
        values = column.to_numpy(np.float32 if is_number else object)
        request[name] = values[:, None]
    return request


label, proba = session.run(None, as_request(X))
print("the same labels:", bool((label == model.predict(X)).all()))
difference = np.abs(proba - model.predict_proba(X)).max()
print(f"largest difference in probability: {difference:.0e}")

# %%
# One row
# -------


def microseconds(call):
    """Return the time of a call."""
    call()
    return min(repeat(call, number=20, repeat=5)) / 20 * 1e6


row = X[:1]
request = as_request(row)
times = {
    "teacher, a frame": microseconds(lambda: model.teacher_.predict_proba(row)),
    "student, a frame": microseconds(lambda: model.predict_proba(row)),
    "student, ONNX": microseconds(lambda: session.run(None, request)),
}

fig, ax = plt.subplots(figsize=(6.8, 2.6), layout="constrained")
bars = ax.barh(list(times), times.values(), color=["#D55E00", "#0072B2", "#009E73"])
ax.bar_label(bars, fmt="{:,.0f} µs", padding=4)
ax.set_xscale("log")
ax.set(xlabel="microseconds for one row, logarithmic")
ax.margins(x=0.25)
ax.invert_yaxis()
ax.set_title("What an answer costs", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
