"""
What was kept, in four pictures
===============================

A student is to be understood before it is deployed: which λ was chosen and what for,
where it says something other than its teacher, whether it was trained to the end, and
what it has learnt. ``sk_distill.plot`` has a display for each.
"""

# %%
# Which λ
# -------
# A forest knows whose diabetes will progress, and teaches an additive student. At the
# left end of the path the student learns from the labels alone, at the right end from
# the teacher alone.

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sk_distill import (
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
    distillation_report,
)
from sk_distill.plot import (
    DistillationPathDisplay,
    FeatureEffectsDisplay,
    FidelityDisplay,
    TrainingCurveDisplay,
)

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = progression.gt(140).map({True: "progress", False: "no progress"})
X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
model = DistilledClassifierCV(
    RandomForestClassifier(100, min_samples_leaf=5),
    LinearStudent(encoding="piecewise_linear"),
    distillation_weights=[0.1, 0.3, 1, 3, 10],
    random_state=0,
).fit(X, y)
display = DistillationPathDisplay.from_estimator(model)
display.ax_.set_title("Five folds of 331 patients")
plt.show()

# %%
# Where they differ
# -----------------
# On rows that neither has seen: each is a point, where the teacher's probability says
# how far right and the student's how far up it is.

FidelityDisplay.from_estimator(model, X_test)
plt.show()

# %%
# Whether it was trained to the end
# ---------------------------------
# A student that is a network holds some rows out, and goes back to its best epoch.

network = MLPStudent(32, encoding="standard", random_state=0).fit(X, y)
TrainingCurveDisplay.from_estimator(network)
plt.show()

# %%
# What it has learnt
# ------------------
# The columns that matter most, each with a curve of what it adds to the log-odds, and
# below it how many of the rows are where.

FeatureEffectsDisplay.from_estimator(model, X, features=6)
plt.show()

# %%
# All of it in numbers
# --------------------
# A report has the rest: scores with their intervals, what each costs, and where in the
# table they differ most. With the training rows it fits the same student without a
# teacher beside them. In a notebook it shows as HTML.

report = distillation_report(
    model, X_test, y_test, X_train=X, y_train=y, n_bootstraps=100, random_state=0
)
print(report)
