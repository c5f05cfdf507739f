"""
Probabilities from elsewhere
============================

The teacher need not be a classifier, nor be at hand. A language model that was asked what
it thinks of a row, a foundation model behind a service, a colleague's model in another
language: all that is needed is an array, ``fit(X, y, teacher_proba=P)``.
"""

# %%
# Twenty labelled rows, and a prior opinion
# -----------------------------------------
# Breast tumours: 20 are diagnosed. A model that has read a lot is asked about each of them
# and about 200 others, ten times a row: "malignant or benign?". Its answers are counted.
# Here a rule of thumb with noise stands in for it: large and ragged is malignant.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, LinearStudent

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = np.where(y == 0, "malignant", "benign")
rng = np.random.default_rng(0)


def ask(rows, n_answers=10):
    """Return the shares of the answers "benign" and "malignant", for each row."""
    size = (rows["mean radius"] - 15) / 2
    raggedness = (rows["mean concave points"] - 0.05) / 0.02
    opinion = 1 / (1 + np.exp(-(size + raggedness)))
    malignant = rng.binomial(n_answers, opinion) / n_answers
    return np.column_stack([1 - malignant, malignant])


# %%
# Columns stand in the order of ``np.unique(y)``. Counts may be zero: a share of zero out of
# ten is not "never", and one more answer of each kind says so.


def smooth(shares, n_answers=10):
    """Return the shares with one more answer of each kind (Laplace's rule)."""
    return (shares * n_answers + 1) / (n_answers + 2)


# %%
# From none of it to nothing else
# -------------------------------
# Twenty draws of the labelled rows. λ = 0 does not listen, λ = ∞ reads no label.

weights = [0, 0.1, 0.3, 1, 3, np.inf]
losses = np.empty((20, len(weights)))
opinion_loss = []
for draw in range(len(losses)):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=20, random_state=draw, stratify=y
    )
    P = smooth(ask(X_train))
    for i, weight in enumerate(weights):
        model = DistilledClassifier(
            student=LinearStudent(), distillation_weight=weight, random_state=0
        ).fit(X_train, y_train, teacher_proba=P)
        losses[draw, i] = log_loss(y_test, model.predict_proba(X_test))
    opinion_loss.append(log_loss(y_test, smooth(ask(X_test))))
print(f"the opinion itself: log loss {np.mean(opinion_loss):.3f}")
for weight, loss in zip(weights, losses.mean(axis=0)):
    print(f"λ = {weight:<4} log loss {loss:.3f}")
print("a teacher was fitted:", hasattr(model, "teacher_"))
