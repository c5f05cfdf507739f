"""A torch module of the user's own, as a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sk_distill.encoding import Table
from sk_distill.networks.base import NetworkClassifier
from sk_distill.networks.knowledge import Anchor
from sk_distill.networks.parameters import check_training_parameters, make_plan
from sk_distill.networks.rows import Rows
from sk_distill.seeding import isolated_seed
from sk_distill.validation import check_choice, is_torch_module, name_of

if TYPE_CHECKING:
    from torch import nn

    from sk_distill.training import TrainingPlan


class ModuleClassifier(NetworkClassifier):
    """Train a torch module on labels, soft targets or both.

    It is what ``student=module`` and ``teacher=ModuleClass`` become. For your own
    optimiser, schedule or batches pass a skorch net instead.

    Parameters
    ----------
    module : nn.Module, or a class of them
        Maps float32 rows ``(n_rows, n_features)`` to logits ``(n_rows, n_classes)``,
        or ``(n_rows, 1)`` for two classes. An instance is copied and trained from the
        weights that it has; a class is called as ``module(n_features, n_classes)``.
    batch_size, learning_rate_init, max_iter, tol, early_stopping, \
    validation_fraction, n_iter_no_change, class_weight, encoding, device, callbacks, \
    net_params, random_state, verbose
        As in :class:`sk_distill.MLPStudent`.

    Attributes
    ----------
    module_ : nn.Module
        The trained module, on the CPU, in evaluation mode.
    classes_, encoder_, n_iter_, loss_curve_, history_, n_features_in_
        As in :class:`sk_distill.MLPStudent`.
    """

    module_: nn.Module

    _wraps = "module"

    def __init__(
        self,
        module: Any,
        *,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        encoding: str | None = "standard",
        n_bins: int = 48,
        device: str = "auto",
        callbacks: Any = None,
        net_params: dict[str, Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.module = module
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.encoding = encoding
        self.n_bins = n_bins
        self.device = device
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose

    def _block_logits(self, table: Table) -> NDArray[Any]:
        positions = self.encoder_.positions(table, np.float32)
        return module_logits(self.module_, self._inputs(positions))

    def _inputs(self, positions: NDArray[Any]) -> NDArray[Any]:
        return self.encoder_.units(positions)

    def _module_and_rows(self, X: Any) -> tuple[nn.Module, NDArray[Any]]:
        """Return the module, and what it gets for rows."""
        positions = self.encoder_.positions(self._check_before_predict(X), np.float32)
        return self.module_, self._inputs(positions)

    def _known_module(self) -> nn.Module | None:
        """Return the module that training begins with; a class makes one then."""
        return self.module if is_torch_module(self.module) else None

    def _check_parameters(self) -> None:
        check_choice(self, "encoding", self.encoding, ("standard", None))
        check_training_parameters(self)

    def _plan(self, n_rows: int, seed: int) -> TrainingPlan:
        return make_plan(self, n_rows, seed, solver="adam")

    def _build_module(
        self, n_outputs: int, warm: bool, anchor: Anchor | None
    ) -> nn.Module:
        return self._make_module(self.encoder_.n_units, n_outputs)

    def _make_module(self, n_inputs: int, n_outputs: int) -> nn.Module:
        if is_torch_module(self.module):
            return deepcopy(self.module)
        return make_module(name_of(self), self.module, n_inputs, max(n_outputs, 2))

    def _check_module(self, table: Table, n_classes: int) -> None:
        # Its width does not depend on what the rows are to learn.
        encoder = Rows(table, np.zeros(len(table), dtype=int), None).fit_encoder(
            self.encoding, self.n_bins, n_classes
        )
        n_inputs = encoder.n_units

        with isolated_seed(0, "cpu"):
            module = self._make_module(n_inputs, n_classes)
        check_module(name_of(self), module, n_inputs, n_classes)

    def _keep(self, module: nn.Module) -> None:
        self.module_ = module


def make_module(owner: str, kind: Any, n_features: int, n_classes: int) -> nn.Module:
    """Return ``kind(n_features, n_classes)``."""
    try:
        return kind(n_features, n_classes)
    except TypeError as error:
        raise TypeError(
            f"{owner}: {kind.__name__}({n_features}, {n_classes}) failed: {error}. A "
            "class is called with the numbers of features and classes; let its "
            "__init__ take (n_features, n_classes), or pass an instance."
        ) from error


def module_logits(module: nn.Module, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the module's output for float32 rows, in evaluation mode."""
    return _output(module, inputs).cpu().numpy()


def _output(module: nn.Module, inputs: NDArray[Any]) -> Any:
    import torch

    # Each part has a flag of its own: train() would wake those that the user put to
    # evaluation.
    flags = [(part, part.training) for part in module.modules()]
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    module.eval()
    try:
        with torch.no_grad():
            return module(torch.from_numpy(inputs).to(device))
    finally:
        for part, was_training in flags:
            part.training = was_training


def check_module(owner: str, module: Any, n_inputs: int, n_classes: int) -> None:
    """Raise unless the module maps rows to one logit for each class."""
    import torch

    if not is_torch_module(module):
        raise TypeError(
            f"{owner}: module(n_features={n_inputs}, n_classes={n_classes}) returned "
            f"{module!r}; expected an nn.Module."
        )
    with wrong_rows(owner, module, n_inputs):
        logits = _output(module, np.zeros((2, n_inputs), dtype=np.float32))
    if not isinstance(logits, torch.Tensor):
        raise TypeError(
            f"{owner}: the module returned a {type(logits).__name__} for rows; "
            "expected a tensor of logits. Let its forward return the logits alone."
        )
    check_logit_shape(owner, tuple(logits.shape), 2, n_classes)


@contextmanager
def wrong_rows(owner: str, module: Any, n_inputs: int) -> Iterator[None]:
    """Say in plain words what torch says of a product of the wrong shapes or dtypes.

    ``module`` may be a skorch net with a module.
    """
    try:
        yield
    except RuntimeError as error:
        dtype = _other_dtype(getattr(module, "module_", module))
        if dtype is not None:
            raise TypeError(
                f"{owner}: the module has parameters in {dtype}, and rows come in "
                f"float32: {error}. Call module.float()."
            ) from error
        raise ValueError(
            f"{owner}: the module cannot take rows of {n_inputs} columns: {error}. "
            "Change the width of its first layer."
        ) from error


def _other_dtype(module: Any) -> Any:
    """Return the dtype of a module's first parameter in one that is not float32."""
    import torch

    parameters = module.parameters() if is_torch_module(module) else ()
    dtypes = (p.dtype for p in parameters if p.is_floating_point())
    return next((dtype for dtype in dtypes if dtype != torch.float32), None)


def check_logit_shape(
    owner: str, shape: tuple[int, ...], n_rows: int, n_classes: int
) -> None:
    """Raise unless ``shape`` is that of logits for ``n_classes`` classes."""
    widths = (1, 2) if n_classes == 2 else (n_classes,)
    if shape not in [(n_rows, width) for width in widths]:
        expected = " or ".join(str(width) for width in widths)
        raise ValueError(
            f"{owner}: the module returned shape {shape} for {n_rows} rows; expected "
            f"{expected} logits a row for {n_classes} classes. Change the width of its "
            "last layer."
        )
