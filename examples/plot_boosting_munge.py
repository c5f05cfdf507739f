"""
A boosted teacher, out of fold, with MUNGE
==========================================

Boosted trees know the rows that they were fitted on by heart, and have little to say of
them that the labels do not say. Two things let them teach: folds, so that a row is
labelled by trees that have not seen its label, and made-up rows, which nobody has seen.
"""

# %%
# Sixteen clouds of points in six dimensions, eight of each class; a tenth of the labels
# are drawn at random. There are 1,500 rows to learn from.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, MLPStudent

X, y = make_classification(
    9_000,
    6,
    n_informative=6,
    n_redundant=0,
    n_clusters_per_class=8,
    flip_y=0.1,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1_500, random_state=0, stratify=y
)

# %%
# By heart
# --------
# On its own rows the teacher repeats the labels: the probability that it gives to them is
# almost one. On other rows it is not as sure, and that is what it knows.

boosting = HistGradientBoostingClassifier(max_iter=200, early_stopping=False)
boosting.fit(X_train, y_train)
for name, rows, labels in ("own", X_train, y_train), ("other", X_test, y_test):
    p = boosting.predict_proba(rows)[range(len(labels)), labels]
    print(f"{name:6} rows: mean probability of the label {p.mean():.3f}")

# %%
# Four ways to ask it
# -------------------

ways = {
    "no teacher": {"distillation_weight": 0},
    "its own rows": {},
    "out of fold": {"teacher_cv": 5},
    "its own rows and MUNGE's": {"transfer_set": "munge"},
    "out of fold, and MUNGE's": {"teacher_cv": 5, "transfer_set": "munge"},
}
losses = {}
for name, parameters in ways.items():
    model = DistilledClassifier(
        boosting,
        MLPStudent(64, encoding="standard"),
        random_state=0,
        **{"distillation_weight": 3, **parameters},
    ).fit(X_train, y_train)
    losses[name] = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:26} log loss on test rows {losses[name]:.3f}")
teacher_loss = log_loss(y_test, boosting.predict_proba(X_test))
print(f"{'the teacher itself':26} log loss on test rows {teacher_loss:.3f}")

# %%
# The student is a smooth function, the trees are not: here it beats its teacher even
# alone, and learns from it all the same.

fig, ax = plt.subplots(figsize=(6.8, 3.4), layout="constrained")
places = np.arange(len(losses))
ax.hlines(places, 0.5, list(losses.values()), color="#cccccc", lw=1)
ax.plot(losses.values(), places, "o", color="#0072B2", ms=9, label="student")
ax.axvline(teacher_loss, color="#D55E00", ls="--", label="teacher")
ax.set_yticks(places, list(losses))
ax.invert_yaxis()
ax.set_xlim(min(losses.values()) - 0.01, teacher_loss + 0.01)
ax.set(xlabel="log loss on 7,500 test rows", ylabel="what the teacher labels")
ax.spines[["top", "right"]].set_visible(False)
fig.legend(loc="outside upper center", ncols=2, frameon=False)
plt.show()
