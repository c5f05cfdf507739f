"""
The article's example: ten inputs, a network, a linear student
==============================================================

The article that this package grew out of explains distillation with a small case: a
teacher with ten inputs and two hidden layers of ten units, a linear student with ten
inputs and one output, and the objective

.. math:: L = L_\\text{student} + λ L_\\text{distillation}, \\qquad
          L_\\text{distillation} = -\\sum_k P(k|x) \\log Q(k|x).

Here it is, from no teacher at all (λ = 0) to nothing but the teacher (λ = ∞).
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

from sk_distill import DistilledClassifier


class TeacherNet(nn.Module):
    """Two hidden layers of ten units."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, 10),
            nn.ReLU(),
            nn.Linear(10, 10),
            nn.ReLU(),
            nn.Linear(10, n_outputs),
        )

    def forward(self, x):
        return self.layers(x)


# %%
# Three labels in ten are drawn at random. The teacher was trained on 4,000 rows, and
# knows what is noise; the student sees 60 rows, and cannot. That is where a teacher's
# word is worth most.

X, y = make_classification(
    9_060,
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
teacher = first.teacher_
P = teacher.predict_proba(X_test)

weights = [0, 0.1, 0.3, 1, 3, 10, 30, np.inf]
label_loss, teacher_loss = [], []
for weight in weights:
    model = DistilledClassifier(
        FrozenEstimator(teacher), "linear", distillation_weight=weight
    )
    Q = model.fit(X_few, y_few).predict_proba(X_test)
    label_loss.append(log_loss(y_test, Q))
    teacher_loss.append(-(P * np.log(Q)).sum(axis=1).mean())
    print(
        f"λ = {weight:<5}  log loss on labels {label_loss[-1]:.3f}   "
        f"cross-entropy with the teacher {teacher_loss[-1]:.3f}"
    )
print(f"teacher    log loss on labels {log_loss(y_test, P):.3f}")

# %%
# The curve
# ---------

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
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
ax.set_xticks(ticks, [f"{weight:g}" for weight in weights[:-1]] + ["∞"])
ax.set(xlabel="λ", ylabel="cross-entropy on 5,000 test rows")
ax.set_title("What λ does", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
ax.axhline(
    log_loss(y_test, P), color="#999999", ls=":", label="teacher with the labels"
)
ax.legend(frameon=False)

figure = Path("figures") / "article.png"
figure.parent.mkdir(exist_ok=True)
fig.savefig(figure, dpi=120)
print(f"\nfigure saved as {figure}")
