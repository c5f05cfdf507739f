"""What is read of fitted estimators, and what is said where it is not there."""

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_distill import (
    DistilledClassifier,
    DistilledClassifierCV,
    distillation_report,
)
from sk_distill.export import to_sklearn
from sk_distill.plot import (
    DistillationPathDisplay,
    FeatureEffectsDisplay,
    FidelityDisplay,
    TrainingCurveDisplay,
)

READERS = {
    "fidelity": FidelityDisplay.from_estimator,
    "training": lambda model, X: TrainingCurveDisplay.from_estimator(model),
    "effects": FeatureEffectsDisplay.from_estimator,
    "report": lambda model, X: distillation_report(model, X, [0] * len(X)),
    "export": lambda model, X: to_sklearn(model),
}

by_all = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def distilled():
    return DistilledClassifier(LogisticRegression(), "linear")


def search_of(model, **params):
    return GridSearchCV(model, {}, cv=2, **params)


@by_all
@pytest.mark.parametrize(
    ("wrap", "way_out"),
    [
        (search_of, r"Pass its best_estimator_\."),
        (
            lambda model: make_pipeline(StandardScaler(), model),
            r"Pass its steps\[-1\]\[1\], and rows as that gets them\.",
        ),
        (
            lambda model: search_of(make_pipeline(StandardScaler(), model)),
            r"Pass its best_estimator_\.steps\[-1\]\[1\], and rows as",
        ),
    ],
    ids=["search", "pipeline", "search of a pipeline"],
)
def test_what_is_held_is_named(binary, read, wrap, way_out):
    """A display of a search asked for teacher_proba, or for another student."""
    X, y = binary
    with pytest.raises((AttributeError, TypeError), match=way_out):
        read(wrap(distilled()).fit(X, y), X)


@by_all
@pytest.mark.filterwarnings("ignore:.*distilling does not help")
def test_a_search_without_refit_is_named(binary, read):
    """It passed for one that was never fitted, or whose student was of another kind."""
    X, y = binary
    search = DistilledClassifierCV(
        LogisticRegression(), "linear", distillation_weights=[1.0], cv=2, refit=False
    ).fit(X, y)
    with pytest.raises(NotFittedError, match=r"refit=False.* Set refit=True, or fit"):
        read(search, X)
    grid = search_of(distilled(), refit=False).fit(X, y)
    with pytest.raises(
        NotFittedError, match=r"this GridSearchCV .*refit=False.* pass its best_est"
    ):
        read(grid, X)


def test_a_search_that_holds_no_path_is_told_what_has_one(binary):
    X, y = binary
    with pytest.raises(AttributeError, match="A path is what DistilledClassifierCV"):
        DistillationPathDisplay.from_estimator(search_of(distilled()).fit(X, y))
