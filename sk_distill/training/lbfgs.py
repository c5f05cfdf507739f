"""Full-batch L-BFGS for torch parameters, by scipy."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from scipy.sparse import block_diag, eye_array, kron
from torch import Tensor

from sk_distill.training.preconditioner import Preconditioner

# Iterations after which variables that are no good are changed.
_PATIENCE = 50


class ScipyLBFGS(torch.optim.Optimizer):
    """Run L-BFGS to its end in a single :meth:`step`.

    It calls the routine that ``LogisticRegression`` calls, with the same stopping
    rule, so that both reach the same optimum; torch's own L-BFGS stops at a different
    point and needs more evaluations to get there.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        As for any torch optimiser.
    lr : float, default=1.0
        Ignored: the line search finds the step. skorch hands one to every optimiser.
    weight_decay : float, default=0.0
        A group's penalty is ``weight_decay / 2 * ||w||²``, or that of ``M @ w`` where
        the group has a sparse ``penalty_map`` M. One that has an ``anchor`` a is also
        pulled to it: ``pull / 2 * ||M @ w - a||²``.
    max_iter : int, default=1000
        Iterations at most.
    tol : float, default=1e-6
        The largest entry of the gradient at which to stop.
    preconditioner : Preconditioner or None
        Variables to search in; None searches in the parameters as they are.
    recondition : callable or None
        Returns the variables for where the parameters are now. They take the place of
        those that have led nowhere in 50 iterations: far from the start the curvature
        may be quite another.
    on_iteration : callable or None
        Called after each iteration, with the parameters where it ended; returns whether
        to stop.

    Attributes
    ----------
    result : scipy.optimize.OptimizeResult
        What scipy said at the end of the last step.
    losses : list of float
        The closure's loss, without penalty, after each iteration.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        weight_decay: float = 0.0,
        max_iter: int = 1000,
        tol: float = 1e-6,
        preconditioner: Preconditioner | None = None,
        recondition: Callable[[], Preconditioner | None] | None = None,
        on_iteration: Callable[[], bool] | None = None,
    ) -> None:
        defaults = {
            "weight_decay": weight_decay,
            "penalty_map": None,
            "anchor": None,
            "pull": 0.0,
        }
        super().__init__(params, defaults)
        self.max_iter = max_iter
        self.tol = tol
        self.preconditioner = preconditioner
        self.recondition = recondition
        self.on_iteration = on_iteration
        self.result: OptimizeResult | None = None
        self.losses: list[float] = []

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Minimise ``closure() + penalty`` over all parameters."""
        params: list[Tensor] = []
        blocks, forces = [], []
        for group in self.param_groups:
            for param in group["params"]:
                params.append(param)
                blocks.append(_curvature(param, group))
                forces.append(_force(param, group))
        # The Hessian of the penalties, and minus their gradient at zero.
        curvature, force = block_diag(blocks, format="csr"), np.concatenate(forces)

        at = self.preconditioner
        largest = np.inf
        unit = 1.0

        def parameters(u: NDArray[Any]) -> NDArray[Any]:
            return u if at is None else at.to_parameters(unit * u)

        def penalty(x: NDArray[Any]) -> float:
            return float(x @ (0.5 * (curvature @ x) - force))

        def value_and_gradient(u: NDArray[Any]) -> tuple[float, NDArray[Any]]:
            nonlocal largest
            x = parameters(u)
            _write(params, x)
            with torch.enable_grad():
                loss = closure().item()
            gradient = _read(_gradient(param) for param in params)
            gradient += curvature @ x - force
            largest = np.abs(gradient).max()
            value = loss + penalty(x)
            return value, gradient if at is None else unit * at.to_gradient(gradient)

        def record(intermediate_result: OptimizeResult) -> None:
            loss = intermediate_result.fun - penalty(parameters(intermediate_result.x))
            self.losses.append(float(loss))
            # scipy would look at the gradient for the variables.
            stops = False
            if self.on_iteration is not None:
                _write(params, parameters(intermediate_result.x))
                stops = self.on_iteration()
            if stops or largest <= self.tol:
                raise StopIteration

        self.losses = []
        n_iter = 0
        while True:
            u, unit = _read(params), 1.0
            if at is not None:
                u = at.to_variables(u)
            value, gradient = value_and_gradient(u)
            if largest <= self.tol:
                result = OptimizeResult(x=u, fun=value, nit=0, status=0)
                break
            if at is not None:
                # scipy's first step is of length one, however near the end is. Where
                # all curvature is one the gradient itself is the step to take.
                unit = float(np.linalg.norm(gradient))
                u, gradient = u / unit, unit * gradient
            # scipy begins by looking where we have just looked.
            first = [(value, gradient)]
            n_left = self.max_iter - n_iter
            recondition = None if at is None else self.recondition
            result = minimize(
                lambda u: first.pop() if first else value_and_gradient(u),  # noqa: B023
                u,
                jac=True,
                method="L-BFGS-B",
                callback=record,
                options={
                    "maxiter": min(n_left, _PATIENCE) if recondition else n_left,
                    # A line search takes few evaluations; scipy's own limit of 15,000
                    # in all would end a long fit without a word.
                    "maxfun": 10 * self.max_iter + 100,
                    "maxls": 50,
                    "gtol": 0,
                    "ftol": 64 * np.finfo(float).eps,
                },
            )
            n_iter += result.nit
            _write(params, parameters(result.x))
            if not recondition or result.status != 1 or n_iter >= self.max_iter:
                break
            at = recondition()
        result.nit = n_iter
        self.result = result
        x = parameters(result.x)
        _write(params, x)
        return torch.tensor(result.fun - penalty(x))


def _curvature(param: Tensor, group: dict[str, Any]) -> Any:
    """Return the Hessian of a flat parameter's penalties."""
    strength, penalty_map = group["weight_decay"] + group["pull"], group["penalty_map"]
    if penalty_map is None:
        return strength * eye_array(param.numel(), format="csr")
    # A flat parameter runs through the outputs first.
    squares = penalty_map.T @ penalty_map
    return strength * kron(squares, eye_array(param.shape[1]))


def _force(param: Tensor, group: dict[str, Any]) -> NDArray[Any]:
    """Return minus the gradient of a flat parameter's penalties at zero."""
    anchor, penalty_map = group["anchor"], group["penalty_map"]
    if anchor is None:
        return np.zeros(param.numel())
    if penalty_map is not None:
        anchor = penalty_map.T @ anchor
    return group["pull"] * np.ravel(anchor)


def _gradient(param: Tensor) -> Tensor:
    """Return the gradient, zero for a parameter that the loss does not touch."""
    return torch.zeros_like(param) if param.grad is None else param.grad


def _read(tensors: Iterable[Tensor]) -> NDArray[Any]:
    """Return the tensors' values as one flat float64 array."""
    return np.concatenate(
        [tensor.detach().reshape(-1).double().cpu().numpy() for tensor in tensors]
    )


def _write(params: Iterable[Tensor], values: NDArray[Any]) -> None:
    """Copy a flat array into the parameters."""
    flat = torch.from_numpy(values)
    start = 0
    with torch.no_grad():
        for param in params:
            stop = start + param.numel()
            param.copy_(flat[start:stop].view_as(param))
            start = stop
