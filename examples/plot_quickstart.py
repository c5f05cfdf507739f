"""
Quickstart: an ensemble of networks in one small network
========================================================

Ten networks vote on handwritten digits. One network of 64 units learns from the labels
and from the votes: it is a fortieth of the size, answers in microseconds, and its
probabilities are about as good as those of all ten, and better by a third than those of
the same network without a teacher.
"""

# %%
# A table, a teacher, a student
# -----------------------------
# λ (``distillation_weight``) says how much the teacher counts. It also labels digits
# that nobody has written: ``transfer_set="munge"`` mixes each row with its nearest
# neighbour, nine times over.

import pickle
from pathlib import Path
from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, MLPStudent, MLPTeacher, Munge

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, random_state=0, stratify=y
)

# Grey values need no bins: standardised, they make a network a tenth of the size.
teacher = MLPTeacher(
    (128, 128), n_members=10, encoding="standard", weight_decay=0.3, max_iter=40
)
student = MLPStudent((64,), encoding="standard", max_iter=30, random_state=0)
model = DistilledClassifier(
    teacher, student, distillation_weight=3, transfer_set="munge", random_state=0
)
print("Ten networks learn the digits, then one student learns from them ...\n")
model.fit(X_train, y_train)
alone = clone(student).fit(X_train, y_train)

# %%
# What was kept, and what it costs
# --------------------------------
# ``student_`` is a classifier of its own: numpy arrays, no torch, no teacher.


def microseconds(classifier):
    """Return the time of ``predict_proba`` for one row."""
    row = X_test[:1]
    return min(repeat(lambda: classifier.predict_proba(row), number=50, repeat=9)) * 2e4


contenders = {
    "teacher": model.teacher_,
    "student": model.student_,
    "without a teacher": alone,
}
proba = {name: model.predict_proba(X_test) for name, model in contenders.items()}
micros = {name: microseconds(model) for name, model in contenders.items()}
by_teacher = proba["teacher"].argmax(axis=1)

header = "accuracy  log loss  ROC AUC  agreement  µs a row  bytes pickled"
print(f"{'':18}{header}")
for name, classifier in contenders.items():
    p = proba[name]
    print(
        f"{name:18}{accuracy_score(y_test, p.argmax(axis=1)):8.3f}"
        f"{log_loss(y_test, p):10.3f}{roc_auc_score(y_test, p, multi_class='ovr'):9.4f}"
        f"{np.mean(p.argmax(axis=1) == by_teacher):11.3f}{micros[name]:10.1f}"
        f"{len(pickle.dumps(classifier)):15,}"
    )

# %%
# How much to trust the teacher
# -----------------------------
# λ = 0 is the student without a teacher, λ = ∞ the student that never sees a label. The
# students of all λ are trained side by side.

weights = [0, 1, 3, np.inf]
made = Munge(random_state=0).sample(X_train)
students = student.fit_path(
    X_train,
    y_train,
    soft_targets=model.teacher_.predict_proba(X_train),
    transfer_X=made,
    transfer_targets=model.teacher_.predict_proba(made),
    candidates=[(weight, 1.0) for weight in weights],
)
path = [log_loss(y_test, fitted.predict_proba(X_test)) for fitted in students]

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(range(len(weights)), path, "o-", color="#0072B2", label="student")
left.axhline(
    log_loss(y_test, proba["teacher"]), color="#D55E00", ls="--", label="teacher"
)
left.set_xticks(range(len(weights)), ["0", "1", "3", "∞"])
left.set(xlabel="λ, the weight of the teacher", ylabel="log loss on test rows")
left.set_ylim(0, 1.15 * max(path))
left.legend(frameon=False)
left.set_title("How much to trust the teacher", fontsize=11)
names = list(contenders)
bars = right.barh(
    names, [micros[name] for name in names], color=["#D55E00", "#0072B2", "#999999"]
)
right.bar_label(bars, fmt="%.0f µs", padding=4)
right.set(xlabel="microseconds for one row")
right.margins(x=0.2)
right.invert_yaxis()
right.set_title("What an answer costs", fontsize=11)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

figure = Path("figures") / "quickstart.png"
figure.parent.mkdir(exist_ok=True)
fig.savefig(figure, dpi=120)
print(f"\nfigure saved as {figure}")
