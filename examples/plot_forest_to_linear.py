"""
A forest of 500 trees as ten curves
===================================

A random forest knows how the diabetes of 442 patients will progress, and cannot say
why. A linear student on bins is an additive model: what each column adds to the
log-odds is a curve that a physician can read, question and put on a page.
"""

# %%
# Teacher and student
# -------------------
# ``DistilledClassifierCV`` chooses λ by cross-validation, with the student without a
# teacher (λ = 0) among the candidates, and says what the teacher is worth.

import pickle

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier

from sk_distill import DistilledClassifierCV, LinearStudent

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X.rename(
    columns={
        "age": "age, years",
        "bmi": "body mass index",
        "bp": "blood pressure, mmHg",
        "s1": "cholesterol, mg/dl",
        "s2": "LDL, mg/dl",
        "s3": "HDL, mg/dl",
        "s4": "cholesterol / HDL",
        "s5": "log triglycerides",
        "s6": "glucose, mg/dl",
    }
)
y = progression > 140
model = DistilledClassifierCV(
    RandomForestClassifier(500, min_samples_leaf=5),
    LinearStudent(encoding="piecewise_linear"),
    distillation_weights=[0.3, 1, 3, 10],
    random_state=0,
).fit(X, y)
gain = model.distillation_gain_
without, best = -model.scores_path_[0, 0].mean(), -model.best_score_
print(f"chosen: λ = {model.distillation_weight_:g}")
print(f"log loss in five folds: {best:.3f}, without a teacher {without:.3f}")
print(f"what the teacher is worth: {gain.value:.3f} ± {gain.standard_error:.3f}")
for name in "teacher", "student":
    size = len(pickle.dumps(getattr(model, f"{name}_")))
    print(f"{name} pickled: {size:,} bytes")

# %%
# The curves
# ----------
# Each is what a column adds to the log-odds of progress, less its mean over the
# patients. The ticks below are patients, a tenth of them at random. In grey is the same
# student without a teacher: it bends after every few rows.

alone = LinearStudent(encoding="piecewise_linear").fit(X, y)
ticks = X.sample(frac=0.1, random_state=0)


def curve(student, column):
    """Return the points of a column's curve, and its values around their mean."""
    effect = student.feature_effects_[column]
    values = effect.effect[:, 0]
    mean = np.interp(X[column], effect.grid, values).mean()
    return effect.grid, values - mean


fig, axes = plt.subplots(2, 5, figsize=(11, 5.2), sharey=True, layout="constrained")
for column, ax in zip(X.columns, axes.flat, strict=True):
    ax.plot(*curve(alone, column), color="#999999", lw=1, label="without a teacher")
    ax.plot(*curve(model.student_, column), color="#0072B2", lw=2, label="student")
    ax.plot(
        ticks[column],
        np.full(len(ticks), 0.02),
        "|",
        color="black",
        transform=ax.get_xaxis_transform(),
    )
    ax.set_xlabel(column)
    ax.spines[["top", "right"]].set_visible(False)
for ax in axes[:, 0]:
    ax.set_ylabel("added to the log-odds")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
plt.show()

# %%
# One patient
# -----------
# The curves add up to the answer, and so they explain it.

patient = X.iloc[[0]]
parts = {}
for column in X:
    grid, values = curve(model.student_, column)
    parts[column] = np.interp(patient[column].iloc[0], grid, values)
for column, part in sorted(parts.items(), key=lambda item: -abs(item[1]))[:4]:
    print(f"{column:22}{patient[column].iloc[0]:8.1f}{part:+8.2f}")
logit = model.decision_function(patient)[0]
print(f"{'the other columns':30}{sum(sorted(parts.values(), key=abs)[:-4]):+8.2f}")
print(f"{'the mean patient':30}{logit - sum(parts.values()):+8.2f}")
print(f"{'log-odds of progress':30}{logit:+8.2f}")
