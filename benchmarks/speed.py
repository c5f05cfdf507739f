"""Ratios of times, each pair measured turn by turn in one process.

    python benchmarks/speed.py [--repeats 5] [--only fit|linear|predict|size]

The table is 50,000 rows, 30 columns, 5 classes; networks have 64 hidden units, batches
128 rows, trainings 5 epochs. A ratio is that of the medians; the spread is that of the
ratios of single repeats. Absolute times say more about the machine than about the
package.
"""

import argparse
import pickle
import warnings
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent

N_ROWS, N_COLUMNS, N_CLASSES = 50_000, 30, 5
HIDDEN, BATCH, EPOCHS, RATE = 64, 128, 5, 1e-3


class Row(NamedTuple):
    what: str
    ours: float
    theirs: float
    spread: str
    target: str
    reached: bool


def make_table():
    """Return rows, labels with noise, and soft targets that a teacher might give."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COLUMNS))
    scores = np.tanh(X @ rng.normal(size=(N_COLUMNS, 32)) / 3) @ rng.normal(
        size=(32, N_CLASSES)
    )
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
            at_most=1.3,
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
    "predict": predict_rows,
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=GROUPS, action="append")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    rows = [
        row
        for name in arguments.only or GROUPS
        for row in GROUPS[name](arguments.repeats)
    ]
    print(f"\n| {'what':54} | ours | theirs | ratio (spread) | target | |")
    print("| --- | ---: | ---: | --- | --- | --- |")
    for row in rows:
        print(
            f"| {row.what:54} | {show_time(row.ours)} | {show_time(row.theirs)} | "
            f"{row.spread} | {row.target} | {'reached' if row.reached else 'MISSED'} |"
        )


if __name__ == "__main__":
    main()
