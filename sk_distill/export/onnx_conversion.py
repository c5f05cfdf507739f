"""A graph by skl2onnx that answers, or an error that names the step."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from sk_distill._optional import import_optional
from sk_distill.export.onnx_inputs import are_alike
from sk_distill.export.onnx_steps import fed_by_columns
from sk_distill.export.onnx_trial import answers_of
from sk_distill.validation import name_of

# Not the newest: runtimes of the years before read it too.
_OPSETS = {"": 17, "ai.onnx.ml": 3}


def checked_graph(
    pipeline: Pipeline, inputs: list[tuple[str, Any]], X: Any = None
) -> tuple[Any, list[NDArray[Any]]]:
    """Return the graph of a fitted pipeline, and what it answers.

    It is valid, and has no inputs that nothing uses.

    Parameters
    ----------
    pipeline : Pipeline
        It is fitted; the last step is the student.
    inputs : list of (str, type)
        As skl2onnx wants them.
    X : array-like or frame of shape (n_rows, n_columns), default=None
        Rows that the pipeline takes; None has some made up.

    Raises
    ------
    ValueError
        Where skl2onnx does not convert a step, or to a graph that no runtime loads, or
        that does not answer with a label and a probability of each class.
    """
    fails = "skl2onnx makes no valid graph of"
    try:
        graph = _graph(pipeline, inputs, {"zipmap": False})
        if X is not None:
            fails = "the rows of X are not answered by what skl2onnx makes of"
        shapes = [(), (len(pipeline[-1].classes_),)]
        names = [name for name, _ in inputs]
        return graph, answers_of(graph, pipeline, names, X, shapes)
    except Exception as error:
        if str(error).startswith("to_onnx: "):
            # A student's own converter says what is wrong with it.
            raise
        reason = str(error).strip().partition("\n")[0]
        # What follows is where in its own source a runtime has failed.
        reason = reason.partition(" Status Message: /")[0].rstrip(".")
        reason = f"{type(error).__name__}: {reason}"
        raise ValueError(
            f"to_onnx: {fails} {_what_fails(pipeline, inputs, X, reason)}"
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
    _name_inputs(graph.graph, [name for name, _ in inputs])
    return graph


def _name_inputs(graph: Any, names: list[str]) -> None:
    """Give the inputs the columns' names, and drop those that nothing uses.

    skl2onnx names them anew where a name is more than letters.
    """
    old_names = [value.name for value in graph.input]
    new_name_of = dict(zip(old_names, names, strict=True))
    used = set()
    for node in graph.node:
        used.update(node.input)
        node.input[:] = [new_name_of.get(name, name) for name in node.input]
    inputs = [value for value in graph.input if value.name in used]
    for value in inputs:
        value.name = new_name_of[value.name]
    del graph.input[:]
    graph.input.extend(inputs)


def _what_fails(
    pipeline: Pipeline, inputs: list[tuple[str, Any]], X: Any, reason: str
) -> str:
    """Return the end of a message: which step it is, why, and what to do about it."""
    steps = _leaves(pipeline.steps[:-1])
    followers = [*steps[1:], pipeline.steps[-1]]
    names = [name for name, _ in inputs]
    for i, (name, step) in enumerate(steps):
        try:
            graph = _graph(Pipeline(steps[: i + 1]), inputs, None)
            shapes = _shapes_for(followers[i][1])
            answers_of(graph, pipeline, names, X, shapes)
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


def _shapes_for(follower: Any) -> list[tuple[int, ...] | None]:
    """Return what a step makes of a row, as the one after it takes it."""
    n_columns = getattr(follower, "n_features_in_", None)
    return [None if n_columns is None else (n_columns,)]


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
