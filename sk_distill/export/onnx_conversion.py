"""A graph by skl2onnx that a runtime can load, or an error that names the step."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from sk_distill._optional import import_optional
from sk_distill.export.onnx_inputs import are_alike
from sk_distill.export.onnx_steps import fed_by_columns
from sk_distill.validation import name_of

# Not the newest: runtimes of the years before read it too.
_OPSETS = {"": 17, "ai.onnx.ml": 3}


def checked_graph(pipeline: Pipeline, inputs: list[tuple[str, Any]]) -> Any:
    """Return the graph of a fitted pipeline, which is valid.

    Parameters
    ----------
    pipeline : Pipeline
        It is fitted; the last step is the student.
    inputs : list of (str, type)
        As skl2onnx wants them.

    Raises
    ------
    ValueError
        Where skl2onnx does not convert a step, or to a graph that no runtime loads.
    """
    try:
        return _graph(pipeline, inputs, {"zipmap": False})
    except Exception as error:
        if str(error).startswith("to_onnx: "):
            # A student's own converter says what is wrong with it.
            raise
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        reason = f"{type(error).__name__}: {reason}"
        raise ValueError(
            f"to_onnx: skl2onnx makes no valid graph of "
            f"{_what_fails(pipeline, inputs, reason)}"
        ) from error


def _graph(
    pipeline: Pipeline, inputs: list[tuple[str, Any]], options: dict[str, Any] | None
) -> Any:
    skl2onnx = import_optional("skl2onnx", extra="onnx", needed_by="to_onnx")
    import onnx

    graph = skl2onnx.to_onnx(
        fed_by_columns(pipeline, len(inputs)) if are_alike(inputs) else pipeline,
        initial_types=inputs,
        target_opset=_OPSETS,
        options=options,
    )
    # Runtimes infer types and shapes when they load a file, skl2onnx does not.
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _what_fails(pipeline: Pipeline, inputs: list[tuple[str, Any]], reason: str) -> str:
    """Return the end of a message: which step it is, why, and what to do about it."""
    steps = _leaves(pipeline.steps[:-1])
    for i, (name, step) in enumerate(steps):
        try:
            _graph(Pipeline(steps[: i + 1]), inputs, None)
        except Exception:
            return (
                f"step {name!r}, a {name_of(step)} ({reason}); expected steps that it "
                "converts. Export the student alone, to_onnx(pipeline[-1], path), and "
                "ask it about pipeline[:-1].transform(rows), or choose another step."
            )
    student = pipeline.steps[-1][1]
    return (
        f"the student, a {name_of(student)} ({reason}); expected a classifier that it "
        "converts, of columns such as the steps before make. Distil into another one, "
        "into student='linear' for instance."
    )


def _leaves(steps: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return steps and those within them by their full names."""
    leaves = []
    for name, step in steps:
        if isinstance(step, Pipeline):
            leaves += [
                (f"{name}__{inner}", part) for inner, part in _leaves(step.steps)
            ]
        else:
            leaves.append((name, step))
    return leaves
