"""Whatever the table and the parameters, what a probability must be."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from sk_distill import LinearStudent, MLPStudent
from sk_distill.networks.parameters import LOSS_NAMES
from sk_distill.validation import check_probabilities

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)

NUMBERS = st.one_of(
    st.floats(-10, 10),
    st.sampled_from([0.0, -0.0, 1e-300, -1e-300, 1e12, -1e12, 1e-12, 1e30, -1e30]),
    st.floats(-1e30, 1e30),
)


@st.composite
def tables(draw):
    """Draw rows of wild columns, labels of two to four classes, and soft targets."""
    n_rows = draw(st.integers(4, 30))
    n_columns = draw(st.integers(1, 4))
    n_classes = draw(st.integers(2, min(4, n_rows)))
    X = draw(arrays(np.float64, (n_rows, n_columns), elements=NUMBERS))
    if draw(st.booleans()):
        X[:, 0] = X[0, 0]
    y = np.arange(n_rows) % n_classes
    y = y[draw(st.permutations(range(n_rows)))]
    P = draw(arrays(np.float64, (n_rows, n_classes), elements=st.floats(0, 1)))
    if draw(st.booleans()):
        P = np.eye(n_classes)[P.argmax(axis=1)]
    P[P.sum(axis=1) == 0] = 1
    return X, y, P / P.sum(axis=1, keepdims=True)


OBJECTIVES = st.fixed_dictionaries(
    {
        "distillation_weight": st.sampled_from([0, 1e-6, 0.5, 1, 20, 1e9, np.inf]),
        "temperature": st.sampled_from([0.05, 0.7, 1.0, 3.0, 50.0]),
        "loss": st.sampled_from(LOSS_NAMES),
    }
)
STUDENTS = st.sampled_from(
    [
        LinearStudent(max_iter=2000),
        LinearStudent(solver="adam", max_iter=3, random_state=0),
        MLPStudent((5,), max_iter=3, random_state=0),
        MLPStudent((3, 2), activation="tanh", max_iter=3, random_state=0),
    ]
)


@SETTINGS
@given(tables(), STUDENTS, OBJECTIVES)
def test_answers_are_probabilities_and_stay_the_same(table, student, objective):
    X, y, P = table
    names = np.array(["d", "b", "c", "a"])[: P.shape[1]]
    order = np.argsort(names)
    model = student.fit(X, names[y], soft_targets=P[:, order], **objective)
    proba = model.predict_proba(X)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert_array_equal(model.predict(X), names[order][proba.argmax(axis=1)])
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), proba)
    again = student.fit(X, names[y], soft_targets=P[:, order], **objective)
    assert_array_equal(again.predict_proba(X), proba)


@SETTINGS
@given(tables(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, np.inf]))
def test_whole_weights_are_repeated_rows(table, seed, distillation_weight):
    X, y, P = table
    rng = np.random.default_rng(seed)
    X = rng.normal(size=X.shape)
    weight = rng.integers(0, 4, size=len(y))
    weight[[np.flatnonzero(y == k)[0] for k in range(P.shape[1])]] = 1
    student = LinearStudent(tol=1e-9, max_iter=5000)
    params = {"distillation_weight": distillation_weight}
    weighted = student.fit(X, y, weight, soft_targets=P, **params).predict_proba(X)
    X2, y2, P2 = (np.repeat(array, weight, axis=0) for array in (X, y, P))
    repeated = student.fit(X2, y2, soft_targets=P2, **params).predict_proba(X)
    assert_allclose(weighted, repeated, atol=1e-5)


@SETTINGS
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 9), st.integers(2, 5)),
        elements=st.floats(0, 1),
    )
)
def test_check_of_probabilities_passes_what_sums_to_one(P):
    """Within 0.001, so that rounded ones pass; and makes the sum exact."""
    if (np.abs(P.sum(axis=1) - 1) <= 1e-3).all():
        checked = check_probabilities("P", P, *P.shape)
        assert_allclose(checked.sum(axis=1), 1, rtol=1e-12)
        assert_allclose(checked, P, atol=1e-3)
    else:
        with pytest.raises(ValueError, match="does not sum to 1"):
            check_probabilities("P", P, *P.shape)


@SETTINGS
@given(
    arrays(np.float64, (6, 3), elements=st.floats(-700, 700)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_rounded_softmax_passes_the_check(logits, labels):
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    checked = check_probabilities("P", P.round(4).astype(np.float32), 6, 3)
    assert_allclose(checked, P, atol=3e-4)
