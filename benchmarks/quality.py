"""What distilling keeps, on every table of a folder.

    python benchmarks/quality.py --data DIR [--teachers boosting,forest,vote,default]
        [--seeds 3] [--tables a,b] [--json results.json] [--cache] [--methods]

DIR holds tables as ``NAME.csv`` or ``NAME.csv.gz`` with a header; the last column,
``target``, is the label, a column of text is categorical. Each seed splits a table
anew, 70 to 30, and decides all that is random. One setting serves all tables. Seconds
of a distilled student are those of its ``fit``, the transfer set included, less those
that the teacher spent in its own ``fit``.

``--cache`` lets the linear students find what the MLP students' teachers said, their
transfer sets included: the same figures sooner, but for the seconds of the former.

The teacher "default" is the package's own, beside boosting, and the student that of
``DistilledClassifier()`` as it comes; its seconds are those of both.

``--methods`` instead has a row for each loss, kind of knowledge, schedule and fusion,
all of them for the same student (see methods.py); what teachers said is cached.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from timeit import repeat
from typing import Any

import numpy as np
import pandas as pd
from methods import methods
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_distill import DistilledClassifier, LinearStudent, MLPStudent, MLPTeacher

METRICS = ("log loss", "accuracy", "ROC AUC", "Brier", "fit s", "µs a row")


class Stopwatch:
    """The seconds that a classifier spends in ``fit``, its clones' included."""

    seconds = 0.0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        start = perf_counter()
        fitted = super().fit(X, y, sample_weight=sample_weight)  # type: ignore[misc]
        Stopwatch.seconds += perf_counter() - start
        return fitted


class Boosting(Stopwatch, HistGradientBoostingClassifier):
    pass


class Forest(Stopwatch, RandomForestClassifier):
    pass


class Trees(Stopwatch, ExtraTreesClassifier):
    pass


def encoded(classifier: Any, *, scaled: bool) -> Any:
    """Return the classifier on one-hot categories and, if asked, scaled numbers."""
    numbers = StandardScaler() if scaled else "passthrough"
    return make_pipeline(
        make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
        ),
        classifier,
    )


def make_teacher(name: str, seed: int) -> Any:
    boosting = Boosting(
        max_iter=200,
        early_stopping=False,
        categorical_features="from_dtype",
        random_state=seed,
    )
    trees = {"n_estimators": 300, "random_state": seed, "n_jobs": -1}
    if name == "boosting":
        return boosting
    if name == "forest":
        return encoded(Forest(**trees), scaled=False)
    if name == "default":
        return MLPTeacher(random_state=seed)
    hundred = {**trees, "n_estimators": 100}
    return VotingClassifier(
        [
            (
                "boosting",
                boosting.set_params(
                    max_iter=300,
                    learning_rate=0.05,
                    l2_regularization=10,
                    max_features=0.5,
                ),
            ),
            ("forest", encoded(Forest(**hundred), scaled=False)),
            ("trees", encoded(Trees(**hundred, max_features=0.5), scaled=False)),
        ],
        voting="soft",
        weights=[4, 1, 1],
    )


def contenders(name: str, seed: int, memory: str | None) -> dict[str, Any]:
    """Return the classifiers by name; the teacher comes first."""
    if name == "methods":
        assert memory is not None
        boosting, forest = (make_teacher(n, seed) for n in ("boosting", "forest"))
        return methods(boosting, forest, seed, memory)
    teacher = make_teacher(name, seed)
    if name == "default":
        return {
            "teacher": teacher,
            "boosting": make_teacher("boosting", seed),
            "MLP student, labels": MLPStudent(random_state=seed),
            "DistilledClassifier()": DistilledClassifier(random_state=seed),
        }
    students = {
        "MLP student": MLPStudent(),
        "linear student": LinearStudent(encoding="piecewise_linear"),
    }
    found = {
        "teacher": clone(teacher),
        "LogisticRegression": encoded(LogisticRegression(max_iter=1000), scaled=True),
        "MLPClassifier": encoded(
            MLPClassifier((64,), early_stopping=True, random_state=seed), scaled=True
        ),
    }
    for name, student in students.items():
        found[f"{name}, labels"] = clone(student).set_params(random_state=seed)
        distilled = DistilledClassifier(
            teacher,
            student,
            distillation_weight=3.0,
            teacher_cv=5,
            memory=memory,
            random_state=seed,
        )
        found[f"{name}, distilled"] = distilled
        found[f"{name}, distilled + transfer"] = clone(distilled).set_params(
            transfer_set="munge"
        )
    return found


def measure(classifier: Any, train: Any, test: Any) -> dict[str, float]:
    """Fit, and return the metrics on the test rows."""
    (X, y), (X_test, y_test) = train, test
    Stopwatch.seconds, start = 0.0, perf_counter()
    classifier.fit(X, y)
    seconds = perf_counter() - start
    if isinstance(classifier, DistilledClassifier):
        seconds -= Stopwatch.seconds
    proba = classifier.predict_proba(X_test)
    row = X_test.iloc[:1]
    times = repeat(lambda: classifier.predict_proba(row), number=5, repeat=10)
    values = (
        log_loss(y_test, proba),
        accuracy_score(y_test, classifier.classes_[proba.argmax(axis=1)]),
        roc_auc_score(
            y_test,
            proba[:, 1] if proba.shape[1] == 2 else proba,
            multi_class="ovr",
        ),
        brier_score_loss(y_test, proba, labels=classifier.classes_),
        seconds,
        min(times) / 5 * 1e6,
    )
    return dict(zip(METRICS, map(float, values), strict=True))


def load(path: Path) -> tuple[pd.DataFrame, Any]:
    frame = pd.read_csv(path)
    y = frame.pop("target").to_numpy()
    text = frame.select_dtypes(exclude="number").columns
    return frame.astype(dict.fromkeys(text, "category")), y


def run_table(
    path: Path, teacher: str, n_seeds: int, *, cached: bool
) -> dict[str, dict[str, list]]:
    """Return, for each contender and metric, the value of each seed."""
    X, y = load(path)
    results: dict[str, dict[str, list]] = {}
    for seed in range(n_seeds):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, random_state=seed, stratify=y
        )
        with TemporaryDirectory() as folder:
            found = contenders(teacher, seed, folder if cached else None)
            for name, classifier in found.items():
                row = measure(classifier, (X_train, y_train), (X_test, y_test))
                for metric, value in row.items():
                    results.setdefault(name, {}).setdefault(metric, []).append(value)
    return results


def show(table: str, teacher: str, results: dict[str, dict[str, list]]) -> None:
    """Print mean ± standard deviation over the seeds, and log losses as ratios."""
    print(f"\n### {table}, teacher: {teacher}\n")
    print(f"| {'':36} | {' | '.join(METRICS)} | log loss / teacher's |")
    print(f"| --- | {' | '.join(['---:'] * (len(METRICS) + 1))} |")
    yardstick = np.mean(results["teacher"]["log loss"])
    for name, metrics in results.items():
        cells = [
            f"{np.mean(v):.4f} ± {np.std(v):.4f}"
            if metric not in ("fit s", "µs a row")
            else f"{np.mean(v):,.1f}"
            for metric, v in metrics.items()
        ]
        ratio = np.mean(metrics["log loss"]) / yardstick
        print(f"| {name:36} | {' | '.join(cells)} | {ratio:.3f} |", flush=True)


def summarise(everything: dict[str, dict[str, Any]]) -> None:
    """Print what the tables say together."""
    for teacher, tables in everything.items():

        def mean(table: str, name: str, tables: Any = tables) -> float:
            return float(np.mean(tables[table][name]["log loss"]))

        print(f"\n### All tables, teacher: {teacher}\n")
        print("| log loss, geometric mean over tables, of | to | ratio | tables won |")
        print("| --- | --- | ---: | ---: |")
        best = "MLP student, distilled + transfer"
        linear = "linear student, distilled + transfer"
        for ours, theirs in (
            (best, "teacher"),
            (best, "MLP student, labels"),
            (best, "MLPClassifier"),
            (linear, "LogisticRegression"),
            (linear, "linear student, labels"),
            ("DistilledClassifier()", "teacher"),
            ("DistilledClassifier()", "MLP student, labels"),
            ("teacher", "boosting"),
        ):
            if any(name not in tables[t] for t in tables for name in (ours, theirs)):
                continue
            ratios = [mean(t, ours) / mean(t, theirs) for t in tables]
            print(
                f"| {ours} | {theirs} | {np.exp(np.mean(np.log(ratios))):.3f} | "
                f"{sum(r < 1 for r in ratios)} of {len(ratios)} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teachers", default="boosting,forest")
    parser.add_argument("--tables", help="names, separated by commas; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", action="store_true")
    parser.add_argument("--methods", action="store_true")
    parser.add_argument("--json", type=Path, default=Path("quality.json"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    paths = {p.name.split(".")[0]: p for p in sorted(arguments.data.glob("*.csv*"))}
    if arguments.tables:
        paths = {name: paths[name] for name in arguments.tables.split(",")}
    print(f"{os.cpu_count()} cores, {arguments.seeds} seeds, mean ± standard deviation")
    everything: dict[str, dict[str, Any]] = {}
    teachers = ["methods"] if arguments.methods else arguments.teachers.split(",")
    for teacher in teachers:
        for table, path in paths.items():
            cached = arguments.cache or arguments.methods
            results = run_table(path, teacher, arguments.seeds, cached=cached)
            everything.setdefault(teacher, {})[table] = results
            show(table, teacher, results)
            arguments.json.write_text(json.dumps(everything, indent=1))
    summarise(everything)


if __name__ == "__main__":
    main()
