"""
A boosted teacher, out of fold, with MUNGE
==========================================

Boosted trees know the rows that they were fitted on by heart, and have little to say of
them that the labels do not say. Two things let them teach: folds, so that a row is
labelled by trees that have not seen its label, and made-up rows, which nobody has seen.
"""

# %%
# A jagged table: six columns in stripes, whose effects depend on each other. Trees find
# the edges of stripes; a network on 1,500 rows, whose columns are standardised and no
# more, hardly does.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, MLPStudent

rng = np.random.default_rng(0)
X = rng.uniform(size=(8_000, 6))
stripe = np.floor(4 * X) % 2
logit = 8 * stripe[:, 0] * stripe[:, 1] + 4 * stripe[:, 2] * (X[:, 3] > 0.5) - 6
logit += 6 * (1 - stripe[:, 0]) * (X[:, 4] > 0.7)
y = (rng.uniform(size=len(X)) < 1 / (1 + np.exp(-logit))).astype(int)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1_500, random_state=0, stratify=y
)

# %%
# By heart
# --------
# On its own rows the teacher repeats the labels: the probability that it gives to them
# is almost one. On other rows it is not as sure, and that is what it knows.

boosting = HistGradientBoostingClassifier(
    learning_rate=0.2, max_iter=50, early_stopping=False
)
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
        MLPStudent(64, encoding="standard", max_iter=25),
        random_state=0,
        **{"distillation_weight": 3, **parameters},
    ).fit(X_train, y_train)
    losses[name] = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:26} log loss on test rows {losses[name]:.3f}")
teacher_loss = log_loss(y_test, boosting.predict_proba(X_test))
print(f"{'the teacher itself':26} log loss on test rows {teacher_loss:.3f}")

# %%
# Labelled by heart, the rows are worth little more than their labels. Out of fold they
# are worth something, and MUNGE's rows more: there the teacher says where its edges
# are.

fig, ax = plt.subplots(figsize=(6.8, 3.2), layout="constrained")
places = np.arange(len(losses))
ax.hlines(places, teacher_loss, list(losses.values()), color="#cccccc", lw=1)
ax.plot(losses.values(), places, "o", color="#0072B2", ms=9, label="student")
ax.axvline(teacher_loss, color="#D55E00", ls="--", label="teacher")
ax.set_yticks(places, list(losses))
ax.set_ylim(len(losses) - 0.5, -0.5)
ax.set(xlabel="log loss on 6,500 test rows", ylabel="what the teacher labels")
ax.spines[["top", "right"]].set_visible(False)
fig.legend(loc="outside upper center", ncols=2, frameon=False)
plt.show()
