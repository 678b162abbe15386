"""Torch's global switches: read in under a microsecond, compared, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

_dtype, _grad, _threads = torch.get_default_dtype, torch.is_grad_enabled, torch.get_num_threads
_deterministic = torch.are_deterministic_algorithms_enabled
_warn_only = torch.is_deterministic_algorithms_warn_only_enabled
_seed = torch.default_generator.initial_seed


def read() -> tuple[Any, ...]:
    """Return the fields of a TorchState, in a third of a microsecond."""
    return (
        _dtype(),
        _grad(),
        _deterministic(),
        _warn_only(),
        _threads(),
        _seed(),
    )


class TorchState(NamedTuple):
    """What a component must not change for others.

    Args:
        dtype: the default of new tensors.
        grad: True if gradients are recorded.
        deterministic: True if only deterministic algorithms are allowed.
        warn_only: True if other algorithms warn only.
        threads: of one operation.
        seed: of the CPU's generator. Drawing leaves it, reseeding does not.
    """

    dtype: Any
    grad: bool
    deterministic: bool
    warn_only: bool
    threads: int
    seed: int

    @classmethod
    def now(cls) -> TorchState:
        """Read the state."""
        return cls(*read())

    def changes(self, after: TorchState) -> Iterator[str]:
        """Yield what differs in `after`, as the rest of a sentence about the component that changed it."""
        if after.dtype != self.dtype:
            yield f"sets torch's default dtype to {str(after.dtype).removeprefix('torch.')}"
        if after.grad != self.grad:
            yield f"leaves gradients {'on' if after.grad else 'off'}"
        if (after.deterministic, after.warn_only) != (self.deterministic, self.warn_only):
            yield f"switches deterministic algorithms {'on' if after.deterministic else 'off'}"
        if after.threads != self.threads:
            yield f"sets torch's number of threads to {after.threads}"
        if after.seed != self.seed:
            yield f"reseeds torch's generator with {after.seed}"

    def put_back(self, after: TorchState) -> None:
        """Set what differs in `after`, but for the generator, whose position only the caller can know."""
        if after.dtype != self.dtype:
            torch.set_default_dtype(self.dtype)
        if after.grad != self.grad:
            torch.set_grad_enabled(self.grad)
        if (after.deterministic, after.warn_only) != (self.deterministic, self.warn_only):
            torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
        if after.threads != self.threads:
            torch.set_num_threads(self.threads)


def initial(after: TorchState) -> TorchState:
    """Return what a new process has, from the state after code ran in it; the number of threads is the machine's.

    The seed of a new process is random and large. A seed that someone wrote is small.
    """
    return TorchState(torch.float32, True, False, False, after.threads, after.seed if after.seed >= 2**32 else -1)
