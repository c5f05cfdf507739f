"""
Rows without labels
===================

Labels are expensive, rows are not. The teacher labels the rows that nobody has
labelled, and the student learns from all of them: ``transfer_set`` takes them as they
are.
"""

# %%
# Few labels, many rows
# ---------------------
# Handwritten digits: 150 have a label, 1,000 have none. The teacher is an ensemble of
# networks, fitted on the 150; the student is one network of 32 units.

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, MLPStudent, MLPTeacher

X, y = load_digits(return_X_y=True)
X_labelled, X_rest, y_labelled, y_rest = train_test_split(
    X, y, train_size=150, random_state=0, stratify=y
)
X_unlabelled, X_test, _, y_test = train_test_split(
    X_rest, y_rest, train_size=1_000, random_state=0, stratify=y_rest
)
teacher = MLPTeacher(n_members=8, encoding="standard", random_state=0)
teacher.fit(X_labelled, y_labelled)
student = MLPStudent(32, encoding="standard", random_state=0)

# %%
# More and more of them
# ---------------------
# The teacher is fitted already (``FrozenEstimator``): it is the same throughout, and
# only the number of rows without a label grows.

counts = [0, 50, 200, 1_000]
losses = []
for count in counts:
    model = DistilledClassifier(
        FrozenEstimator(teacher),
        student,
        distillation_weight=3,
        transfer_set=X_unlabelled[:count] if count else None,
        random_state=0,
    ).fit(X_labelled, y_labelled)
    losses.append(log_loss(y_test, model.predict_proba(X_test)))
    accuracy = accuracy_score(y_test, model.predict(X_test))
    print(
        f"{count:5} unlabelled rows: log loss {losses[-1]:.3f}, accuracy {accuracy:.3f}"
    )

alone = clone(student).fit(X_labelled, y_labelled)
references = {
    "student without a teacher": (alone, "#999999", ":"),
    "teacher, eight networks": (teacher, "#D55E00", "--"),
}

# %%
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(range(len(counts)), losses, "o-", color="#0072B2", label="student")
for name, (classifier, colour, style) in references.items():
    loss = log_loss(y_test, classifier.predict_proba(X_test))
    ax.axhline(loss, color=colour, ls=style, label=name)
    print(f"{name}: log loss {loss:.3f}")
ax.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])
ax.set(
    xlabel="unlabelled rows, beside 150 labelled ones", ylabel="log loss on test rows"
)
ax.set_ylim(0, 1.15 * losses[0])
ax.set_title("Rows that only the teacher has labelled", fontsize=11)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
