"""Where the time of a fit goes.

    python benchmarks/phases.py [--rows 5000 500000]

A fit of ``MLPStudent(64)`` on soft targets, 30 columns, 5 classes, 5 epochs, everything
else as it comes; each phase is timed by wrapping what does it. A phase is without those
that it is made of.
"""

import argparse
import functools
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch

import sk_distill.networks.reading as reading
from sk_distill import MLPStudent
from sk_distill.encoding import TableEncoder
from sk_distill.nn import StackedMLP
from sk_distill.training.batches import TensorRows
from sk_distill.training.objective import Objective
from sk_distill.training.tensor_net import TensorNet

SECONDS: dict[str, float] = defaultdict(float)
WITHIN: list[str] = []


def timed(phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its own time counted, that of phases within not."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        WITHIN.append(phase)
        try:
            return function(*args, **kwargs)
        finally:
            WITHIN.pop()
            seconds = perf_counter() - start
            SECONDS[phase] += seconds
            if WITHIN:
                SECONDS[WITHIN[-1]] -= seconds

    return wrapper


def watch() -> None:
    """Wrap what the phases are made of."""
    reading.check_table = timed("look at the table", reading.check_table)
    TableEncoder.fit = timed("learn the encoding", TableEncoder.fit)
    TableEncoder.positions = timed("encode", TableEncoder.positions)
    Objective.make_targets = timed("make targets", Objective.make_targets)
    Objective.value_and_gradient = timed("objective", Objective.value_and_gradient)
    TensorRows.take = timed("shuffle rows", TensorRows.take)
    torch.optim.Adam.step = timed("optimiser", torch.optim.Adam.step)
    forward_and_back = StackedMLP.forward_and_back

    def both_ways(module: StackedMLP, rows: Any) -> tuple[Any, Any]:
        logits, back = forward_and_back(module, rows)
        return logits, timed("backward", back)

    StackedMLP.forward_and_back = timed("forward", both_ways)
    run_epoch = TensorNet.run_single_epoch
    training = timed("loop over batches", run_epoch)
    validating = timed("validation", run_epoch)

    def run_single_epoch(net: Any, *args: Any, **kwargs: Any) -> Any:
        is_training = args[1] if len(args) > 1 else kwargs["training"]
        return (training if is_training else validating)(net, *args, **kwargs)

    TensorNet.run_single_epoch = run_single_epoch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 500_000])
    arguments = parser.parse_args()
    watch()
    fit = timed("all the rest", MLPStudent.fit)
    columns = []
    for n_rows in arguments.rows:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, 30))
        proba = rng.dirichlet(np.ones(5), size=n_rows)
        labels = proba.argmax(axis=1)
        student = MLPStudent(64, max_iter=5, random_state=0)
        fit(student, X, labels, soft_targets=proba)
        SECONDS.clear()
        fit(student, X, labels, soft_targets=proba)
        columns.append(dict(SECONDS))
    print("| phase | " + " | ".join(f"{n:,} rows" for n in arguments.rows) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for phase in columns[0]:
        shown = (f"{column.get(phase, 0) * 1e3:,.0f} ms" for column in columns)
        print(f"| {phase} | " + " | ".join(shown) + " |")
    total = (f"{sum(column.values()) * 1e3:,.0f} ms" for column in columns)
    print("| together | " + " | ".join(total) + " |")


if __name__ == "__main__":
    main()
