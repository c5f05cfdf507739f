"""What compressing a student saves and costs, on every table of a folder.

    python benchmarks/compression.py --data DIR [--tables a,b] [--units 64]
        [--transfer munge|none] [--seed 0]

DIR holds tables as in ``quality.py``, whose reading and splitting this is. A student
learns from gradient boosting, out of fold and, by default, with MUNGE rows. It is
compressed on the training rows, and where units are pruned also on the training rows
with three times as many MUNGE rows. Bytes are those of the pickled student; log losses
those of the 30 % of the rows that are held out.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from time import perf_counter
from timeit import repeat
from typing import Any

import pandas as pd
from quality import load, make_teacher
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_distill import DistilledClassifier, MLPStudent, Munge, compress

SETTINGS: dict[str, dict[str, Any]] = {
    "float16": {"dtype": "float16"},
    "int8": {},
    "int8, prune 0.25, as it is": {"prune": 0.25, "fine_tune": False},
    "int8, prune 0.25": {"prune": 0.25},
    "int8, prune 0.5, as it is": {"prune": 0.5, "fine_tune": False},
    "int8, prune 0.5": {"prune": 0.5},
}

HEADER = (
    "bytes",
    "of the student's",
    "of its weights'",
    "log loss",
    "relative loss",
    "divergence",
    "agreement",
    "s",
    "µs a row",
)


def weight_bytes(student: Any) -> int:
    """Return the bytes of the weights and biases, scales included."""
    if isinstance(student, MLPStudent):
        return sum(a.nbytes for a in (*student.coefs_, *student.intercepts_))
    arrays = (array for layer in student.layers_ for array in layer)
    return sum(array.nbytes for array in arrays if array is not None)


def microseconds(student: Any, X: Any) -> float:
    """Return the time of a row of a frame."""
    row = X.iloc[:1]
    times = repeat(lambda: student.predict_proba(row), number=20, repeat=10)
    return min(times) / 20 * 1e6


def run_table(path: Path, n_units: int, transfer_set: Any, seed: int) -> None:
    X, y = load(path)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, random_state=seed, stratify=y
    )
    student = (
        DistilledClassifier(
            make_teacher("boosting", seed),
            MLPStudent((n_units,)),
            distillation_weight=3.0,
            teacher_cv=5,
            transfer_set=transfer_set,
            random_state=seed,
        )
        .fit(X_train, y_train)
        .student_
    )
    more = pd.concat([X_train, Munge(3, random_state=seed).sample(X_train)])
    print(f"\n### {path.name.split('.')[0]}\n")
    print(f"| {'':32} | {' | '.join(HEADER)} |")
    print(f"| --- | {' | '.join(['---:'] * len(HEADER))} |")
    loss = log_loss(y_test, student.predict_proba(X_test))
    print(
        f"| {'student':32} | {len(pickle.dumps(student)):,} | | | {loss:.4f} | | | | | "
        f"{microseconds(student, X_test):.0f} |"
    )
    for name, settings in SETTINGS.items():
        ways = {name: X_train}
        if settings.get("prune") and settings.get("fine_tune", True):
            ways[f"{name}, MUNGE"] = more
        for way, rows in ways.items():
            start = perf_counter()
            compressed = compress(student, rows, random_state=seed, **settings)
            seconds = perf_counter() - start
            now = log_loss(y_test, compressed.predict_proba(X_test))
            report = compressed.compression_
            cells = (
                f"{report.n_bytes:,}",
                f"{report.n_bytes / report.n_bytes_before:.1%}",
                f"{weight_bytes(compressed) / weight_bytes(student):.1%}",
                f"{now:.4f}",
                f"{now / loss - 1:+.2%}",
                f"{report.divergence:.2g}",
                f"{report.agreement:.2%}",
                f"{seconds:.1f}",
                f"{microseconds(compressed, X_test):.0f}",
            )
            print(f"| {way:32} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", help="names, separated by commas; all by default")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--transfer", choices=("munge", "none"), default="munge")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = {p.name.split(".")[0]: p for p in sorted(arguments.data.glob("*.csv*"))}
    if arguments.tables:
        paths = {name: paths[name] for name in arguments.tables.split(",")}
    transfer_set = None if arguments.transfer == "none" else arguments.transfer
    for path in paths.values():
        run_table(path, arguments.units, transfer_set, arguments.seed)


if __name__ == "__main__":
    main()
