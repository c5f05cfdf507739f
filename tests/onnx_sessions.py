"""Students as ONNX files, and what onnxruntime says of them."""

import numpy as np
import onnxruntime
from numpy.testing import assert_allclose, assert_array_equal

from sk_distill import (
    LinearStudent,
    MLPStudent,
)
from sk_distill.export import to_onnx


def student_of(encoding, hidden, activation="relu"):
    if not hidden:
        return LinearStudent(encoding=encoding, n_bins=6)
    return MLPStudent(
        hidden, activation, encoding=encoding, n_bins=6, max_iter=3, random_state=0
    )


def session_of(model, path):
    to_onnx(model, path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def ask(session, rows):
    """Return labels and probabilities of a frame, or of an array of numbers."""
    if isinstance(rows, np.ndarray):
        return session.run(None, {"X": rows.astype(np.float32)})
    cells = {}
    for value in session.get_inputs():
        column = rows[[value.name]].to_numpy()
        is_text = value.type == "tensor(string)"
        cells[value.name] = column.astype(object if is_text else np.float32)
    return session.run(None, cells)


def assert_same(session, model, *tables, atol=2e-6):
    for rows in tables:
        label, proba = ask(session, rows)
        assert_allclose(proba, model.predict_proba(rows), rtol=0, atol=atol)
        assert_array_equal(label, model.predict(rows))
