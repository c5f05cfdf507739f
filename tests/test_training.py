import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import rosen, rosen_der
from sklearn.datasets import make_classification
from skorch.callbacks import Callback
from threadpoolctl import threadpool_info

from sk_distill import LinearStudent, MLPStudent, MLPTeacher
from sk_distill.nn import StackedMLP
from sk_distill.training import Objective, TrainingData, TrainingPlan, train_module
from sk_distill.training.batches import TensorBatches, TensorRows
from sk_distill.training.devices import threads
from sk_distill.training.holdout import holdout_mask
from sk_distill.training.lbfgs import ScipyLBFGS
from sk_distill.training.preconditioner import Preconditioner

X, Y = make_classification(
    400, 6, n_informative=4, n_classes=3, class_sep=0.5, random_state=0
)
X32 = X.astype(np.float32)


def rows(n_rows):
    inputs = torch.arange(n_rows, dtype=torch.float32).unsqueeze(1)
    return TensorRows(inputs, {"codes": torch.arange(n_rows)})


@pytest.mark.parametrize("block_rows", [16, 65_536])
@pytest.mark.parametrize(("n_rows", "batch_size"), [(100, 8), (96, 8), (5, 8), (7, -1)])
def test_each_pass_sees_every_row_once(n_rows, batch_size, block_rows, monkeypatch):
    monkeypatch.setattr("sk_distill.training.batches._BLOCK_ROWS", block_rows)
    batches = TensorBatches(rows(n_rows), batch_size, shuffle=True)
    for _ in range(2):
        seen = list(batches)
        assert len(seen) == len(batches)
        inputs = torch.cat([x for x, _ in seen])[:, 0]
        codes = torch.cat([targets["codes"] for _, targets in seen])
        assert_array_equal(inputs, codes)
        assert_array_equal(np.sort(codes), np.arange(n_rows))


def test_batches_are_shuffled_anew_at_each_pass():
    batches = TensorBatches(rows(100), 8, shuffle=True)
    first, second = (torch.cat([x for x, _ in batches]) for _ in range(2))
    assert not torch.equal(first, second)


def test_unshuffled_batches_keep_the_order():
    batches = TensorBatches(rows(20), 8, shuffle=False)
    assert [len(x) for x, _ in batches] == [8, 8, 4]
    assert_array_equal(torch.cat([x for x, _ in batches])[:, 0], np.arange(20))


def test_scipy_lbfgs_finds_the_minimum_of_rosenbrocks_function():
    x = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64))
    optimizer = ScipyLBFGS([x], tol=1e-10)

    def closure():
        value = torch.tensor(rosen(x.detach().numpy()))
        x.grad = torch.from_numpy(rosen_der(x.detach().numpy()))
        return value

    assert optimizer.step(closure).item() < 1e-12
    assert_allclose(x.detach(), np.ones(6), atol=1e-6)
    assert len(optimizer.losses) == optimizer.result.nit
    assert optimizer.losses == sorted(optimizer.losses, reverse=True)


def test_scipy_lbfgs_penalises_by_group():
    """Minimum of (a - 1)² / 2 + 3 a² / 2 + (b - 1)² / 2 is a = 1/4, b = 1."""
    a, b = (torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    optimizer = ScipyLBFGS(
        [{"params": [a], "weight_decay": 3.0}, {"params": [b]}], tol=1e-12
    )

    def closure():
        optimizer.zero_grad()
        loss = ((a - 1) ** 2 + (b - 1) ** 2).sum() / 2
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert_allclose([a.item(), b.item()], [0.25, 1.0], atol=1e-9)
    assert_allclose(loss, 0.75**2 / 2)


def test_scipy_lbfgs_takes_the_newton_step_where_the_curvature_is_known():
    """The first step that scipy tries is of length one, even a hair from the end.

    The line search then had to find its way back from far beyond.
    """
    hessian = np.array([[4.0, 1.0], [1.0, 0.5]])
    x = torch.nn.Parameter(torch.full((2,), 1e-4, dtype=torch.float64))
    optimizer = ScipyLBFGS([x], tol=1e-12, preconditioner=Preconditioner(hessian))
    seen = []

    def closure():
        at = x.detach().numpy().copy()
        seen.append(at)
        x.grad = torch.from_numpy(hessian @ at)
        return torch.tensor(at @ hessian @ at / 2)

    optimizer.step(closure)
    assert len(seen) == 2
    assert_allclose(x.detach(), [0, 0], atol=1e-15)


def test_holdout_is_stratified():
    labels = np.repeat([0, 1, 2], [700, 200, 100])
    mask = holdout_mask(labels, 0.1, seed=0)
    assert_array_equal(np.bincount(labels[mask]), [70, 20, 10])


def test_holdout_takes_a_lone_class_as_it_comes():
    labels = np.r_[np.zeros(199, int), 1]
    assert holdout_mask(labels, 0.1, seed=0).sum() == 20


def test_holdout_of_nearly_all_rows_takes_classes_as_they_come():
    """Ten rows are left for twenty classes: scikit-learn raised an error of its own."""
    assert holdout_mask(np.repeat(np.arange(20), 5), 0.9, seed=0).sum() == 90


def test_too_few_rows_hold_out_none():
    assert holdout_mask(np.tile([0, 1], 40), 0.1, seed=0) is None


def plan(**settings):
    defaults = {"solver": "adam", "max_iter": 30, "tol": 0.0, "seed": 0}
    return TrainingPlan(**{**defaults, **settings})


def train(objective=None, weight=None, proba=None, **settings):
    return train_module(
        lambda: StackedMLP([6, 16, 3]),
        objective or Objective(),
        TrainingData(X32, Y, proba, weight),
        plan(**settings),
        owner="test",
    )


def test_skorch_loop_is_the_bare_loop():
    """The same seed, batches and optimiser, without skorch: the same weights."""
    trained = train(batch_size=64, max_iter=3)
    torch.manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = StackedMLP([6, 16, 3])
        optimizer = torch.optim.Adam(module.parameters(), fused=True)
        inputs, codes = torch.from_numpy(X32), torch.from_numpy(Y)
        for _ in range(3):
            for batch in torch.randperm(len(inputs)).split(64):
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(
                    module(inputs[batch]), codes[batch]
                )
                loss.backward()
                optimizer.step()
    for mine, bare in zip(
        trained.module.parameters(), module.parameters(), strict=True
    ):
        assert_allclose(mine.detach(), bare.detach(), atol=1e-6)


def test_early_stopping_keeps_the_best_epoch():
    trained = train(early_stopping=True, learning_rate=0.05, max_iter=60)
    valid = trained.history["valid_loss"]
    assert valid.argmin() < len(valid) - 1, "the test wants a loss that rises again"
    mask = holdout_mask(Y, 0.1, seed=0)
    with torch.no_grad():
        logits = trained.module(torch.from_numpy(X32[mask]))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y[mask]))
    assert_allclose(loss, valid.min(), rtol=1e-5)


def test_early_stopping_waits_n_iter_no_change_epochs():
    trained = train(
        early_stopping=True, learning_rate=0.05, max_iter=200, n_iter_no_change=4
    )
    valid = trained.history["valid_loss"]
    assert trained.n_iter == len(valid) == valid.argmin() + 1 + 4 < 200


def test_training_loss_that_stalls_ends_training():
    trained = train(tol=10.0, n_iter_no_change=3)
    assert trained.n_iter == 1 + 3


def test_weights_do_not_change_the_scale_of_a_step():
    one = train(weight=np.full(len(X), 1.0)).module
    many = train(weight=np.full(len(X), 1e6)).module
    for a, b in zip(one.parameters(), many.parameters(), strict=True):
        assert_allclose(a.detach(), b.detach(), atol=1e-6)


def test_generators_are_left_as_they_were():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(early_stopping=True)
    MLPStudent(max_iter=1).fit(X, Y)
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    MLPStudent(max_iter=1).fit(X, Y)
    assert torch.get_num_threads() == before


class ThreadCount(Callback):
    def on_train_begin(self, net, **_):
        self.n_threads = torch.get_num_threads()


def test_a_small_linear_fit_keeps_to_one_thread():
    """Two threads wait for each other: with a core taken a fit was 40 times slower."""
    count, before = ThreadCount(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        LinearStudent(callbacks=[count]).fit(X, Y)
    finally:
        torch.set_num_threads(before)
    assert count.n_threads == 1


def test_teacher_averages_the_probabilities_of_its_members():
    teacher = MLPTeacher((8,), n_members=3, max_iter=3, random_state=0).fit(X, Y)
    together = teacher.predict_proba(X)
    stacked = teacher.coefs_, teacher.intercepts_
    singles = []
    for member in range(3):
        teacher.coefs_ = [coef[member] for coef in stacked[0]]
        teacher.intercepts_ = [intercept[member] for intercept in stacked[1]]
        singles.append(teacher.predict_proba(X))
    assert_allclose(together, np.mean(singles, axis=0), atol=1e-6)
    assert np.abs(singles[0] - singles[1]).max() > 0.01


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_gpu_gives_the_cpus_student(solver):
    fitted = [
        MLPStudent(solver=solver, max_iter=20, device=device, random_state=0).fit(X, Y)
        for device in ("cpu", "cuda")
    ]
    cpu, gpu = (student.predict_proba(X).argmax(axis=1) for student in fitted)
    assert (cpu == gpu).mean() > 0.9


@pytest.mark.parametrize(
    ("n_rows", "expected"), [(1, 0.3), (20_000, 0.2), (40_000, 0.1), (10**6, 0.03)]
)
def test_weight_decay_falls_with_the_rows(n_rows, expected):
    assert MLPStudent()._plan(n_rows, seed=0).weight_decay == pytest.approx(expected)
    student = MLPStudent(weight_decay=0.5)
    assert student._plan(n_rows, seed=0).weight_decay == 0.5


def test_blas_has_its_threads_again_when_the_last_of_several_leaves():
    """Fits in threads put back each other's limit: BLAS kept one thread for good."""

    def blas():
        return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]

    before = blas()
    first, second = threads(None), threads(None)
    first.__enter__()
    second.__enter__()
    assert set(blas()) == {1}
    first.__exit__(None, None, None)
    assert set(blas()) == {1}
    second.__exit__(None, None, None)
    assert blas() == before
