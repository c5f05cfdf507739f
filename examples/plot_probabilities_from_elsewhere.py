"""
Probabilities from elsewhere
============================

The teacher need not be a classifier, nor be at hand. A language model that was asked
what it thinks of a row, a foundation model behind a service, a colleague's model in
another language: all that is needed is an array, ``fit(X, y, teacher_proba=P)``.
"""

# %%
# Twelve labelled rows, and an opinion
# ------------------------------------
# Breast tumours: 12 are diagnosed. A model that has read a lot is asked about each of
# them thirty times: "malignant or benign?" Its answers are counted. Here a rule of
# thumb stands in for it: large and ragged is malignant, with a doubt.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, LinearStudent

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = np.where(y == 0, "malignant", "benign")
rng = np.random.default_rng(0)


def ask(rows, n_answers=30):
    """Return the shares of the answers "benign" and "malignant", for each row."""
    size = (rows["worst radius"] - 16.5) / 1.5
    raggedness = (rows["worst concave points"] - 0.14) / 0.03
    opinion = 1 / (1 + np.exp(-(size + raggedness)))
    malignant = rng.binomial(n_answers, opinion) / n_answers
    return np.column_stack([1 - malignant, malignant])


# %%
# Columns stand in the order of ``np.unique(y)``. None out of thirty is not "never", and
# one more answer of each kind says so.


def smooth(shares, n_answers=30):
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
        X, y, train_size=12, random_state=draw, stratify=y
    )
    P = smooth(ask(X_train))
    for i, weight in enumerate(weights):
        model = DistilledClassifier(
            student=LinearStudent(), distillation_weight=weight, random_state=0
        ).fit(X_train, y_train, teacher_proba=P)
        losses[draw, i] = log_loss(y_test, model.predict_proba(X_test))
    opinion_loss.append(log_loss(y_test, smooth(ask(X_test))))
print(f"the opinion itself: log loss {np.mean(opinion_loss):.3f}")
for weight, loss in zip(weights, losses.mean(axis=0), strict=True):
    print(f"λ = {weight:<4} log loss {loss:.3f}")
print("a teacher was fitted:", hasattr(model, "teacher_"))

# %%
# The opinion is better than any student of twelve rows, and takes thirty questions for
# each row to come. The student takes none, and is best where it listens to both: the
# opinion knows what twelve labels cannot show, and the labels know where it errs.

mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1) / np.sqrt(len(losses))
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.errorbar(
    range(len(weights)),
    mean,
    spread,
    fmt="o-",
    color="#0072B2",
    capsize=3,
    label="student",
)
ax.axhline(np.mean(opinion_loss), color="#D55E00", ls="--", label="the opinion itself")
ax.set_xticks(range(len(weights)), [f"{weight:g}" for weight in weights[:-1]] + ["∞"])
ax.set(
    xlabel="λ, the weight of the opinion",
    ylabel="log loss on test rows, 20 draws ± s.e.",
)
ax.set_title("Twelve labels and an array", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
