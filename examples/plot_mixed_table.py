"""
A mixed table, in a pipeline and a grid search
==============================================

Numbers, categories and missing values in one frame. The teacher is a pipeline of its
own, the student takes the frame as it is, and both together are one classifier: it goes
behind a step that makes a column, and ``GridSearchCV`` tunes λ and the student.
"""

# %%
# A table with words and holes
# ----------------------------
# 442 patients with diabetes: will the disease progress within a year? Sex is a code and
# the blood pressure a word, as a nurse would note it; one glucose value in ten got
# lost.

from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from sk_distill import DistilledClassifier, LinearStudent

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X.rename(columns={"s2": "ldl", "s3": "hdl", "s5": "triglycerides", "s6": "glucose"})
X = X.drop(columns=["s1", "s4"])
X["sex"] = X["sex"].map({1: "a", 2: "b"})
X["bp"] = pd.cut(X["bp"], [0, 80, 100, 200], labels=["low", "normal", "high"])
X.loc[np.random.default_rng(0).random(len(X)) < 0.1, "glucose"] = np.nan
y = np.where(progression > 140, "progresses", "stable")
X.head()

# %%
# Teacher, student, pipeline
# --------------------------
# A forest wants numbers, and gets them from a ``ColumnTransformer``. The student needs
# no such thing: it cuts numbers into bins, gives a level a weight, and a missing cell
# one of its own. The first step of the pipeline is for both.


def add_ratio(table):
    """Return the table with the ratio of the two kinds of cholesterol."""
    return table.assign(ldl_to_hdl=table["ldl"] / table["hdl"])


forest = make_pipeline(
    make_column_transformer(
        (OrdinalEncoder(), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    ),
    RandomForestClassifier(100, min_samples_leaf=5),
)
pipeline = Pipeline(
    [
        ("ratio", FunctionTransformer(add_ratio)),
        (
            "distil",
            DistilledClassifier(
                forest,
                LinearStudent(encoding="piecewise_linear"),
                memory=mkdtemp(),  # a fold's teacher is fitted once, for the whole grid
                random_state=0,
            ),
        ),
    ]
)
pipeline

# %%
# The grid
# --------
# Names go through the pipeline as everywhere in scikit-learn. λ = 0 is the student
# without a teacher.

weights = [0, 0.3, 1, 3, 10, np.inf]
alphas = [1, 10]
search = GridSearchCV(
    pipeline,
    {"distil__distillation_weight": weights, "distil__student__alpha": alphas},
    scoring="neg_log_loss",
).fit(X, y)
search.best_params_

# %%
# A strong penalty does some of what the teacher does; it does not do all of it.

results = pd.DataFrame(search.cv_results_)
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
styles = zip(alphas, ["o-", "s--"], ["#0072B2", "#D55E00"], [-0.05, 0.05], strict=True)
for alpha, style, colour, shift in styles:
    rows = results[results["param_distil__student__alpha"] == alpha]
    ax.errorbar(
        np.arange(len(weights)) + shift,
        -rows["mean_test_score"],
        rows["std_test_score"] / np.sqrt(search.n_splits_),
        fmt=style,
        color=colour,
        capsize=3,
        label=f"student with alpha={alpha}",
    )
ax.set_xticks(range(len(weights)), ["0", "0.3", "1", "3", "10", "∞"])
ax.set(xlabel="λ, the weight of the teacher", ylabel="log loss, five folds ± s.e.")
ax.set_title("Tuned like any other classifier", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()

# %%
# What is shipped is the pipeline's first step and the student.

student = search.best_estimator_["distil"].student_
row = X.tail(1)
print(row.T.to_string(header=False))
answer = student.predict_proba(add_ratio(row))[0]
for label, p in zip(student.classes_, answer, strict=True):
    print(f"{label:14}{p:.2f}")
