"""
The article's example: ten inputs, a network, a linear student
==============================================================

The article that this package grew out of explains distillation with a small case: a
teacher with ten inputs and two hidden layers of ten units, a linear student with ten
inputs and one output, and the objective

.. math:: L = L_\\text{student} + λ L_\\text{distillation}, \\qquad
          L_\\text{distillation} = -\\sum_k P(k|x) \\log Q(k|x).

Here it is, from no teacher at all (λ = 0) to nothing but the teacher (λ = ∞), and after
it the rest of what the article names: knowledge that is a feature or a weight vector,
teacher and student in one loop, fusion and compression.
"""

# %%
# The teacher is a plain torch module, called with the number of inputs and of classes.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from torch import nn

from sk_distill import DistilledClassifier, FusedTeacher, MLPStudent, compress


class TeacherNet(nn.Sequential):
    """Two hidden layers of ten units."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__(
            nn.Linear(n_inputs, 10),
            nn.ReLU(),
            nn.Linear(10, 10),
            nn.ReLU(),
            nn.Linear(10, n_outputs),
        )


# %%
# Three labels in ten are drawn at random. The teacher was trained on 2,000 rows, and
# knows what is noise; the student sees 60 rows, and cannot. That is where a teacher's
# word is worth most.

X, y = make_classification(
    7_060,
    n_features=10,
    n_informative=6,
    n_clusters_per_class=1,
    flip_y=0.3,
    class_sep=0.8,
    random_state=1,
)
X_rest, X_few, y_rest, y_few = train_test_split(X, y, test_size=60, random_state=0)
X_many, X_test, y_many, y_test = train_test_split(
    X_rest, y_rest, test_size=5_000, random_state=0
)
first = DistilledClassifier(TeacherNet, "linear", random_state=0).fit(X_many, y_many)
teacher = FrozenEstimator(first.teacher_)
P = teacher.predict_proba(X_test)

weights = [0, 0.1, 0.3, 1, 3, 10, 30, np.inf]
label_loss, teacher_loss = [], []
for weight in weights:
    model = DistilledClassifier(teacher, "linear", distillation_weight=weight)
    Q = model.fit(X_few, y_few).predict_proba(X_test)
    label_loss.append(log_loss(y_test, Q))
    teacher_loss.append(-(P * np.log(Q)).sum(axis=1).mean())
    print(
        f"λ = {weight:<5}  log loss on labels {label_loss[-1]:.3f}   "
        f"cross-entropy with the teacher {teacher_loss[-1]:.3f}"
    )
print(f"teacher    log loss on labels {log_loss(y_test, P):.3f}")

# %%
# Knowledge as a distribution, a feature vector, a weight vector
# --------------------------------------------------------------
# A linear student has no hidden layer that could tell of the teacher's, so that here it
# is one with 16 hidden units, on the same 60 rows and with λ = 3.

student = MLPStudent(16, encoding="standard", random_state=0)
kinds = {
    "labels alone": None,
    "weights": "weights",
    "features": "features",
    "probabilities": "probabilities",
    "probabilities, features": {"probabilities": 1.0, "features": 1.0},
    "probabilities, weights": {"probabilities": 1.0, "weights": 1.0},
}
kind_loss = {}
for name, knowledge in kinds.items():
    model = DistilledClassifier(
        teacher,
        student,
        distillation_weight=3 if knowledge else 0,
        knowledge=knowledge or "probabilities",
    )
    kind_loss[name] = log_loss(y_test, model.fit(X_few, y_few).predict_proba(X_test))
    print(f"{name:<24} log loss on labels {kind_loss[name]:.3f}")

# %%
# One loop for both
# -----------------
# The article trains teacher and student on the same batches. With rows enough for a
# teacher, here is that loop beside a teacher that was there first.

loop_student = MLPStudent(16, encoding="standard", max_iter=10, random_state=0)
for schedule in ("teacher_first", "joint", "mutual"):
    model = DistilledClassifier(
        TeacherNet, loop_student, schedule=schedule, random_state=0
    ).fit(X_many, y_many)
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{schedule:<24} log loss on labels {loss:.3f}")

# %%
# Fusion
# ------
# Three networks, each from a start of its own, become one: hidden units that do alike
# are matched, their weights are averaged, and the one network learns on for a while.

fused = FusedTeacher(TeacherNet, n_teachers=3, random_state=0).fit(X_many, y_many)
for name, network in (("one network", teacher), ("three, fused", fused)):
    loss = log_loss(y_test, network.predict_proba(X_test))
    print(f"{name:<24} log loss on labels {loss:.3f}")

# %%
# Compression
# -----------
# A student of the fused network, and the same student with half of its units, in eight
# bits a weight.

model = DistilledClassifier(FrozenEstimator(fused), loop_student, distillation_weight=3)
whole = model.fit(X_many, y_many).student_
small = compress(whole, X_many, dtype="int8", prune=0.5, random_state=0)
for name, network in (("whole", whole), ("compressed", small)):
    loss = log_loss(y_test, network.predict_proba(X_test))
    print(f"{name:<24} log loss on labels {loss:.3f}")
print(small.compression_)

# %%
# What λ does, and what else a teacher can tell
# ---------------------------------------------

fig, (ax, beside) = plt.subplots(
    1, 2, figsize=(10.5, 4), width_ratios=[3, 2], layout="constrained"
)
ticks = range(len(weights))
ax.plot(
    ticks,
    label_loss,
    "o-",
    color="#0072B2",
    label=r"student with the labels, $L_\mathrm{student}$",
)
ax.plot(
    ticks,
    teacher_loss,
    "s--",
    color="#D55E00",
    label=r"student with the teacher, $L_\mathrm{distillation}$",
)
ax.axhline(
    log_loss(y_test, P), color="#999999", ls=":", label="teacher with the labels"
)
ax.set_xticks(ticks, [f"{weight:g}" for weight in weights[:-1]] + ["∞"])
ax.set(xlabel="λ", ylabel="cross-entropy on 5,000 test rows")
ax.set_title("A linear student: what λ does", fontsize=11)
ax.legend(frameon=False)

beside.plot(list(kind_loss.values()), list(kind_loss), "o", color="#0072B2")
beside.axvline(log_loss(y_test, P), color="#999999", ls=":")
beside.annotate(
    "teacher",
    (log_loss(y_test, P), 0),
    xytext=(4, 0),
    textcoords="offset points",
    color="#666666",
    va="center",
)
beside.set(xlabel="log loss on 5,000 test rows")
beside.set_title("A student of 16 units: what it is told", fontsize=11)
beside.grid(axis="y", color="#eeeeee")
for axes in (ax, beside):
    axes.spines[["top", "right"]].set_visible(False)

figure = Path("figures") / "article.png"
figure.parent.mkdir(exist_ok=True)
fig.savefig(figure, dpi=120)
print(f"\nfigure saved as {figure}")
