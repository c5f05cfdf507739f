"""Ratios of times, each pair measured turn by turn in one process.

    python benchmarks/speed.py [--repeats 5] [--only fit --only search ...]
    python benchmarks/speed.py --device cuda
    python benchmarks/speed.py --serve

The table is 50,000 rows, 30 columns, 5 classes; networks have 64 hidden units, batches
128 rows, trainings 5 epochs. A ratio is that of the medians; the spread is that of the
ratios of single repeats. Absolute times say more about the machine than about the
package.

With another device it times what that is for: rows per second in batches of 8,192, and
100 λ × 5 folds on 1,000,000 rows, beside the bare loop on the same device. With
--serve it prints what serve.py measures: how long answering takes, export by export.
"""

import argparse
import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import serve
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import (
    DistillationWarning,
    DistilledClassifier,
    DistilledClassifierCV,
    LinearStudent,
    MLPStudent,
)

N_ROWS, N_COLUMNS, N_CLASSES = 50_000, 30, 5
HIDDEN, BATCH, EPOCHS, RATE = 64, 128, 5, 1e-3


class Row(NamedTuple):
    what: str
    ours: float
    theirs: float
    spread: str
    target: str
    reached: bool


def make_table(seed: int = 0):
    """Return rows, labels with noise, and soft targets that a teacher might give."""
    truth, rng = np.random.default_rng(1000), np.random.default_rng(seed)
    first = truth.normal(size=(N_COLUMNS, 32))
    second = truth.normal(size=(32, N_CLASSES))
    X = rng.normal(size=(N_ROWS, N_COLUMNS))
    scores = np.tanh(X @ first / 3) @ second
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    labels = (proba.cumsum(axis=1) > rng.random((N_ROWS, 1))).argmax(axis=1)
    return X, labels, proba


X, Y, P = make_table()


def compare(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int,
    *,
    at_most: float | None = None,
    times_faster: float | None = None,
    number: int = 1,
) -> Row:
    """Time both turn by turn, after one call of each that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    ours(), theirs()
    for _ in range(repeats):
        for function, record in zip((ours, theirs), times, strict=True):
            start = perf_counter()
            for _ in range(number):
                function()
            record.append((perf_counter() - start) / number)
    a, b = median(times[0]), median(times[1])
    ratios = [x / y for x, y in zip(*times, strict=True)]
    if at_most is not None:
        return Row(
            what,
            a,
            b,
            f"{a / b:.2f} ({min(ratios):.2f} .. {max(ratios):.2f})",
            f"<= {at_most:g}",
            a / b <= at_most,
        )
    assert times_faster is not None
    return Row(
        what,
        a,
        b,
        f"{b / a:.1f} x faster ({1 / max(ratios):.1f} .. {1 / min(ratios):.1f})",
        f">= {times_faster:g} x",
        b / a >= times_faster,
    )


def make_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(N_COLUMNS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_CLASSES)
    )


def bare_loop() -> nn.Module:
    """Train as a careful engineer would by hand: tensors once, slices, fused Adam.

    The objective is ours at λ = 1, written as one cross-entropy with the blend. One
    thread: for a network of this size a second one slows the loop down.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        scaled = (X - X.mean(axis=0)) / X.std(axis=0)
        inputs = torch.from_numpy(scaled.astype(np.float32))
        blend = torch.from_numpy((0.5 * (np.eye(N_CLASSES)[Y] + P)).astype(np.float32))
        net = make_net()
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        loss_function = nn.CrossEntropyLoss()
        for _ in range(EPOCHS):
            order = torch.randperm(N_ROWS)
            shuffled, targets = inputs[order], blend[order]
            for x, t in zip(shuffled.split(BATCH), targets.split(BATCH), strict=True):
                optimizer.zero_grad()
                loss_function(net(x), t).backward()
                optimizer.step()
    finally:
        torch.set_num_threads(threads)
    return net


def stock_skorch() -> NeuralNetClassifier:
    """Train on labels with skorch as it comes, but for its validation split."""
    return NeuralNetClassifier(
        make_net(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X.astype(np.float32), Y)


def mlp_student() -> MLPStudent:
    return MLPStudent(
        (HIDDEN,),
        encoding="standard",
        batch_size=BATCH,
        max_iter=EPOCHS,
        learning_rate="constant",
        learning_rate_init=RATE,
        dropout=0.0,
        weight_decay=0.0,
        early_stopping=False,
        tol=0.0,
        device="cpu",
    )


def fit_rows(repeats: int) -> Iterator[Row]:
    def ours() -> object:
        return mlp_student().fit(X, Y, soft_targets=P)

    yield compare(
        "MLPStudent.fit / bare torch loop", ours, bare_loop, repeats, at_most=1.15
    )
    yield compare(
        "MLPStudent.fit / stock skorch", ours, stock_skorch, repeats, times_faster=3
    )


def linear_rows(repeats: int) -> Iterator[Row]:
    """Both sides get standardised rows and stop at the same gradient, at C = 1."""
    tol = 1e-5
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    student = LinearStudent(encoding=None, tol=tol, device="cpu")
    # LogisticRegression scales its gradient by the rows' total weight as we do.
    regression = LogisticRegression(tol=tol, max_iter=1000)
    yield compare(
        "LinearStudent.fit, labels / LogisticRegression",
        lambda: student.fit(scaled, Y),
        lambda: regression.fit(scaled, Y),
        repeats,
        at_most=1.5,
    )
    agreement = np.abs(
        student.predict_proba(scaled) - regression.predict_proba(scaled)
    ).max()
    print(f"largest difference in probability, labels: {agreement:.1e}")
    expanded = np.repeat(scaled, N_CLASSES, axis=0)
    classes = np.tile(np.arange(N_CLASSES), N_ROWS)
    blend = (0.5 * (np.eye(N_CLASSES)[Y] + P)).ravel()
    yield compare(
        "LinearStudent.fit, soft / expanded LogisticRegression",
        lambda: student.fit(scaled, Y, soft_targets=P),
        lambda: regression.fit(expanded, classes, sample_weight=blend),
        repeats,
        times_faster=2,
    )
    agreement = np.abs(
        student.predict_proba(scaled) - regression.predict_proba(scaled)
    ).max()
    print(f"largest difference in probability, soft targets: {agreement:.1e}")


def fitted(student: MLPStudent | str) -> DistilledClassifier:
    teacher = FrozenEstimator(GaussianNB().fit(X, Y))
    return DistilledClassifier(teacher, student).fit(X, Y)


def predict_rows(repeats: int) -> Iterator[Row]:
    regression = LogisticRegression().fit(X, Y)
    row = X[:1]
    for name, student in (("mlp", mlp_student()), ("linear", "linear")):
        model = fitted(student)
        yield compare(
            f"one row, {name} student / LogisticRegression",
            lambda model=model: model.predict_proba(row),
            lambda: regression.predict_proba(row),
            repeats,
            at_most=1.0,
            number=2000,
        )
    network = MLPClassifier((HIDDEN,), max_iter=1).fit(X[:2000], Y[:2000])
    many = np.concatenate([X, X])
    model = fitted(mlp_student())
    yield compare(
        "100,000 rows, mlp student / MLPClassifier",
        lambda: model.predict_proba(many),
        lambda: network.predict_proba(many),
        repeats,
        at_most=1.2,
        number=5,
    )


def search_rows(repeats: int) -> Iterator[Row]:
    """20 λ in 5 folds of 20,000 rows; both sides find the teacher in a cache."""
    X_search, Y_search = X[:20_000], Y[:20_000]
    weights = [0.0, *np.geomspace(0.1, 30, 18), np.inf]
    for name, student, target in (
        ("mlp", mlp_student(), 6),
        ("linear", LinearStudent(device="cpu"), 4),
    ):
        with TemporaryDirectory() as folder:
            parts = {"memory": folder, "random_state": 0}
            ours = DistilledClassifierCV(
                GaussianNB(), student, distillation_weights=weights, cv=5, **parts
            )
            theirs = GridSearchCV(
                DistilledClassifier(GaussianNB(), student, **parts),
                {"distillation_weight": weights},
                scoring="neg_log_loss",
                cv=5,
            )
            yield compare(
                f"20 λ x 5 folds, {name} student / GridSearchCV",
                lambda ours=ours: ours.fit(X_search, Y_search),
                lambda theirs=theirs: theirs.fit(X_search, Y_search),
                repeats,
                times_faster=target,
            )
            gap = np.abs(
                ours.cv_results_["mean_test_score"]
                - theirs.cv_results_["mean_test_score"]
            ).max()
            print(f"largest difference in score, {name} student: {gap:.1e}")


def job_rows(repeats: int) -> Iterator[Row]:
    """A search in two processes, beside the same search in one."""
    X_search, Y_search = X[:20_000], Y[:20_000]
    with TemporaryDirectory() as folder:
        model = DistilledClassifier(
            GaussianNB(), mlp_student(), memory=folder, random_state=0
        )
        grid = {"distillation_weight": np.geomspace(0.1, 30, 10)}
        searches = [
            GridSearchCV(model, grid, scoring="neg_log_loss", cv=5, n_jobs=n_jobs)
            for n_jobs in (2, 1)
        ]
        two, one = (
            lambda search=search: search.fit(X_search, Y_search) for search in searches
        )
        yield compare(
            "GridSearchCV over 10 λ, n_jobs=2 / n_jobs=1", two, one, repeats, at_most=1
        )


def label_rows(repeats: int) -> Iterator[Row]:
    """From labels alone to the loss on unseen rows that MLPClassifier comes to."""
    half = N_ROWS // 2
    X_unseen, Y_unseen = make_table(seed=1)[:2]
    X_unseen, Y_unseen = X_unseen[:half], Y_unseen[:half]
    classifier = make_pipeline(
        StandardScaler(),
        MLPClassifier((HIDDEN,), early_stopping=True, random_state=0),
    )
    student = MLPStudent(
        (HIDDEN,),
        encoding="standard",
        dropout=0.0,
        max_iter=20,
        random_state=0,
        device="cpu",
    )
    yield compare(
        "MLPStudent.fit, labels / MLPClassifier, early stopping",
        lambda: student.fit(X, Y),
        lambda: classifier.fit(X, Y),
        repeats,
        at_most=0.7,
    )
    losses = [
        log_loss(Y_unseen, model.predict_proba(X_unseen))
        for model in (student, classifier)
    ]
    print("log loss on unseen rows: ours {:.4f}, theirs {:.4f}".format(*losses))


def import_rows(repeats: int) -> Iterator[Row]:
    """Seconds that ``import sk_distill`` takes where scikit-learn is imported.

    As it is installed, compiled to bytecode: the first import is not counted.
    """
    code = (
        "import sklearn.linear_model, time; start = time.perf_counter(); "
        "import sk_distill; print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    seconds = [
        float(subprocess.check_output([sys.executable, "-c", code], env=environment))
        for _ in range(1 + repeats)
    ][1:]
    spread = f"{min(seconds):.2f} .. {max(seconds):.2f} s"
    middle = median(seconds)
    yield Row(
        "import sk_distill, beyond sklearn.linear_model",
        middle,
        float("nan"),
        spread,
        "<= 0.1 s",
        middle <= 0.1,
    )


def large_fit(n_rows: int, results: Any) -> None:
    """Send the seconds of a fit, and the megabytes of the process at its peak."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, N_COLUMNS)).astype(np.float32)
    labels = rng.integers(0, N_CLASSES, n_rows)
    proba = rng.dirichlet(np.ones(N_CLASSES), n_rows)
    start = perf_counter()
    mlp_student().fit(rows, labels, soft_targets=proba)
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put((seconds, peak))


def scale_rows(repeats: int) -> Iterator[Row]:
    """1,000,000 rows, in a process of their own, beside 100,000."""
    context = multiprocessing.get_context("spawn")

    def run(n_rows: int) -> tuple[float, float]:
        results = context.Queue()
        process = context.Process(target=large_fit, args=(n_rows, results))
        process.start()
        outcome = results.get()
        process.join()
        return outcome

    n_large, n_small = 1_000_000, 100_000
    pairs = [(run(n_large), run(n_small)) for _ in range(min(repeats, 3))]
    ratios = [a / b * n_small / n_large for (a, _), (b, _) in pairs]
    large, small = (median(run[i][0] for run in pairs) for i in (0, 1))
    ratio = large / small * n_small / n_large
    yield Row(
        "MLPStudent.fit per row, 1,000,000 / 100,000 rows",
        large,
        small,
        f"{ratio:.2f} ({min(ratios):.2f} .. {max(ratios):.2f})",
        "<= 1.3",
        ratio <= 1.3,
    )
    peak = max(run[0][1] for run in pairs)
    most = 3 * n_large * N_COLUMNS * 4 / 2**20 + 1024
    yield Row(
        "its peak memory, the process included",
        float("nan"),
        float("nan"),
        f"{peak:,.0f} MB",
        f"<= {most:,.0f} MB",
        peak <= most,
    )


def device_rows(device: str, repeats: int) -> Iterator[Row]:
    """What a device is for: large batches, and many candidates at once."""
    n_rows, batch = 1_000_000, 8_192
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows, N_COLUMNS)).astype(np.float32)
    labels = rng.integers(0, N_CLASSES, n_rows)
    proba = rng.dirichlet(np.ones(N_CLASSES), n_rows).astype(np.float32)
    student = mlp_student().set_params(batch_size=batch, device=device)

    def bare() -> None:
        inputs, targets = (torch.from_numpy(a).to(device) for a in (rows, proba))
        net = make_net().to(device)
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        loss_function = nn.CrossEntropyLoss()
        for _ in range(EPOCHS):
            order = torch.randperm(n_rows, device=device)
            for index in order.split(batch):
                optimizer.zero_grad()
                loss_function(net(inputs[index]), targets[index]).backward()
                optimizer.step()
        torch.cuda.synchronize()

    row = compare(
        f"MLPStudent.fit / bare torch loop, {device}, batches of 8,192",
        lambda: student.fit(rows, labels, soft_targets=proba),
        bare,
        repeats,
        at_most=1.15,
    )
    print(f"rows per second: {EPOCHS * n_rows / row.ours:,.0f}")
    yield row
    search = DistilledClassifierCV(
        student=student,
        distillation_weights=np.geomspace(0.01, 100, 98),
        cv=5,
        random_state=0,
    )
    yield compare(
        f"100 λ x 5 folds, 1,000,000 rows / 1 bare loop, {device}",
        lambda: search.fit(rows, labels, teacher_proba=proba),
        bare,
        1,
        at_most=float("inf"),
    )


def size_rows(repeats: int) -> Iterator[Row]:
    n_bytes = len(pickle.dumps(fitted(mlp_student()).student_))
    yield Row(
        "pickled student_, bytes",
        n_bytes,
        float("nan"),
        f"{n_bytes:,}",
        "<= 20,000",
        n_bytes <= 20_000,
    )


GROUPS = {
    "fit": fit_rows,
    "linear": linear_rows,
    "labels": label_rows,
    "search": search_rows,
    "jobs": job_rows,
    "scale": scale_rows,
    "predict": predict_rows,
    "import": import_rows,
    "size": size_rows,
}


def show_time(seconds: float) -> str:
    if not 0 <= seconds < 1000:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e6:.1f} µs"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=GROUPS, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", DistillationWarning)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if arguments.serve:
        serve.show(X, Y, arguments.repeats, show_time)
        return
    if arguments.device == "cpu":
        rows = [
            row
            for name in arguments.only or GROUPS
            for row in GROUPS[name](arguments.repeats)
        ]
    else:
        rows = list(device_rows(arguments.device, arguments.repeats))
    print(f"\n| {'what':54} | ours | theirs | ratio (spread) | target | |")
    print("| --- | ---: | ---: | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row.what:54} | {show_time(row.ours)} | {show_time(row.theirs)} | "
            f"{row.spread} | {row.target} | {'reached' if row.reached else 'MISSED'} |"
        )


if __name__ == "__main__":
    main()
