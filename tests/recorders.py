"""Callbacks of scikit-learn that note what they are told."""

from collections import Counter


class Listener:
    """Notes each task that begins and ends, as the names on the way to it."""

    def __init__(self, stop_at=None, fail_at=None, error=ZeroDivisionError):
        self.stop_at = stop_at
        self.fail_at = fail_at
        self.error = error
        self.begun, self.ended, self.fitted = [], [], []
        self.numbered = []
        self.n_running = 0

    def setup(self, estimator, context):
        self.n_running += 1

    def teardown(self, estimator, context):
        self.n_running -= 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(path_of(context))
        self.numbered.append(numbered_path_of(context))
        if len(self.begun) == self.fail_at:
            raise self.error

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, fitted_estimator=None
    ):
        self.ended.append(path_of(context))
        self.fitted.append(fitted_estimator)
        if type(estimator).__module__.startswith("sk_distill"):
            assert len(X) == len(y)
        return self.ended[-1][-1] == self.stop_at


class Recorder(Listener):
    """One that is handed on to the estimators within."""

    max_propagation_depth = None


def numbered_path_of(context):
    tasks = []
    while context is not None:
        name = context.source_task_name or context.task_name
        tasks.insert(0, (name, context.task_id))
        context = context.parent
    return tasks


def path_of(context):
    return tuple(name for name, _ in numbered_path_of(context))


def epochs_within(recorder, part):
    """Count the epochs of each trained task within each part of a name."""
    counts = Counter()
    for numbered in recorder.numbered:
        names = [name for name, _ in numbered]
        if part in names and names[-1] == "epoch":
            number = dict(numbered)[part]
            counts[number, names[-2]] += 1
    return counts
