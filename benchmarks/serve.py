"""How long answering takes, and in how many bytes: teachers, students, exports.

    python benchmarks/speed.py --serve [--repeats 5]

All are asked for probabilities of the same arrays, turn by turn in one process, up to
200 arrays of a size one after the other, so that no processor knows a row by heart. A
time is the median, and in brackets is its ratio to LogisticRegression's. The exports of
a student are one model in five forms: the largest difference between their
probabilities and the student's is printed. onnxruntime has one thread; of an estimator
the bytes are those of its pickle, of the others those of the file.
"""

import pickle
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher
from sk_distill.export import load, save, to_python

N_TRAIN, HIDDEN = 10_000, 64
SIZES = (1, 1_000, 100_000)
YARDSTICK = "LogisticRegression"

# A form is asked of so many tables of a size, as far as there are rows.
N_TABLES = 200

# Calls of a repeat take about so many seconds together.
SECONDS = 0.05


class Form(NamedTuple):
    what: str
    answer: Callable[[Any], Any]
    n_bytes: int
    # What rows are before they are asked about, outside of the time taken.
    prepare: Callable[[np.ndarray], Any] = lambda X: X


def of_estimator(what: str, estimator: Any) -> Form:
    return Form(what, estimator.predict_proba, len(pickle.dumps(estimator)))


def as_sklearn(student: Any, folder: Path) -> Form:
    from sk_distill.export import to_sklearn

    return of_estimator("to_sklearn", to_sklearn(student))


def as_onnx(student: Any, folder: Path) -> Form:
    import onnxruntime

    from sk_distill.export import to_onnx

    path = to_onnx(student, folder / "student.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    inputs, output = session.get_inputs(), session.get_outputs()[-1].name

    def prepare(X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the table whole, or column by column, as the graph wants it."""
        dtypes = {"tensor(float)": np.float32, "tensor(double)": np.float64}
        parts = [X] if len(inputs) == 1 else np.split(X, X.shape[1], axis=1)
        return {
            of_graph.name: np.ascontiguousarray(part, dtypes[of_graph.type])
            for of_graph, part in zip(inputs, parts, strict=True)
        }

    return Form(
        "to_onnx, onnxruntime",
        lambda feed: session.run([output], feed)[0],
        path.stat().st_size,
        prepare,
    )


def as_python(student: Any, folder: Path) -> Form:
    path = to_python(student, folder / "student.py")
    answer = runpy.run_path(str(path))["predict_proba"]
    return Form("to_python", answer, path.stat().st_size)


def as_file(student: Any, folder: Path) -> Form:
    path = save(student, folder / "student.skops")
    return Form("load(save)", load(path).predict_proba, path.stat().st_size)


EXPORTS = (as_sklearn, as_onnx, as_python, as_file)


def make_forms(X: np.ndarray, y: np.ndarray, folder: Path) -> Iterator[Form]:
    """Yield all that is asked; training is cut short, since it changes no time here."""
    X, y = X[:N_TRAIN], y[:N_TRAIN]
    boosting = HistGradientBoostingClassifier(random_state=0).fit(X, y)
    yield of_estimator("teacher: HistGradientBoosting", boosting)
    network = MLPTeacher(max_iter=2, random_state=0, device="cpu").fit(X, y)
    yield of_estimator("teacher: MLPTeacher", network)
    yield of_estimator(YARDSTICK, LogisticRegression().fit(X, y))
    classifier = MLPClassifier((HIDDEN,), max_iter=5, random_state=0).fit(X, y)
    yield of_estimator(f"MLPClassifier, {HIDDEN} units", classifier)
    quick = {"max_iter": 5, "random_state": 0, "device": "cpu"}
    for name, student in (
        (f"MLPStudent, {HIDDEN} units", MLPStudent((HIDDEN,), **quick)),
        (
            f"MLPStudent, {HIDDEN} units, standard",
            MLPStudent((HIDDEN,), encoding="standard", **quick),
        ),
        ("LinearStudent", LinearStudent(device="cpu")),
    ):
        model = DistilledClassifier(FrozenEstimator(boosting), student).fit(X, y)
        student = model.student_
        yield of_estimator(name, student)
        expected = student.predict_proba(X[:1000])
        for export in EXPORTS:
            form = export(model, folder)
            answers = np.asarray(form.answer(form.prepare(X[:1000])))
            gap = np.abs(answers - expected).max()
            print(f"{name}, {form.what}: largest difference in probability {gap:.1e}")
            yield form._replace(what=f"  {form.what}")


def measure(forms: list[Form], X: np.ndarray, repeats: int) -> np.ndarray:
    """Return the median seconds of each form for each number of rows."""
    seconds = np.empty((len(forms), len(SIZES)))
    for j, size in enumerate(SIZES):
        n_tables = min(N_TABLES, len(X) // size)
        asked = []
        for form in forms:
            tables = [
                form.prepare(part) for part in np.split(X[: n_tables * size], n_tables)
            ]
            form.answer(tables[0])
            start = perf_counter()
            form.answer(tables[0])
            number = max(1, int(SECONDS / (perf_counter() - start)))
            asked.append([tables[i % n_tables] for i in range(number)])
        records: list[list[float]] = [[] for _ in forms]
        for _ in range(repeats):
            for form, tables, record in zip(forms, asked, records, strict=True):
                answer = form.answer
                start = perf_counter()
                for rows in tables:
                    answer(rows)
                record.append((perf_counter() - start) / len(tables))
        seconds[:, j] = [median(record) for record in records]
    return seconds


def show(
    X: np.ndarray, y: np.ndarray, repeats: int, show_time: Callable[[float], str]
) -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        forms = list(make_forms(X, y, Path(folder)))
    many = np.concatenate([X] * -(-SIZES[-1] // len(X)))
    seconds = measure(forms, many, repeats)
    yardstick = seconds[[form.what for form in forms].index(YARDSTICK)]
    heads = ["one row", *(f"{size:,} rows" for size in SIZES[1:]), "bytes"]
    print(f"\n| {'what':36} | {' | '.join(heads)} |")
    print("| --- |" + " ---: |" * len(heads))
    for form, times in zip(forms, seconds, strict=True):
        cells = [
            f"{show_time(time)} ({time / unit:.2g})"
            for time, unit in zip(times, yardstick, strict=True)
        ]
        print(f"| {form.what:36} | {' | '.join(cells)} | {form.n_bytes:,} |")
