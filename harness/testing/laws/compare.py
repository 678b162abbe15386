"""What the laws of torch components share: noise, comparisons and traces that a call leaves behind."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.testing.laws.law import expect
from harness.testing.laws.subject import seeded


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return normal noise, the same for the same shape and seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(found: Any, expected: Any, what: str, *, exact: bool = False, within: float = 1e-5) -> None:
    """Compare tensors, or mappings and sequences of them: within 1e-4 of their size plus `within`, or bit by bit."""

    def message(reason: str) -> str:
        return f"{what}: {reason}"

    rtol, atol = (0.0, 0.0) if exact else (1e-4, within)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, equal_nan=True, msg=message)


def same_weights(first: nn.Module, second: nn.Module) -> None:
    """Compare the weights of two modules bit by bit."""
    close(dict(first.state_dict()), dict(second.state_dict()), "the weights of both", exact=True)


def finite(values: Tensor, what: str) -> None:
    """Check that all values are finite; `what` names them."""
    count = int((~values.isfinite()).sum())
    expect(count == 0, f"{what}: {count} of {values.numel()} are not finite")


def within(values: Tensor, low: float, high: float, what: str) -> None:
    """Check that all values are finite and in [low, high]."""
    finite(values, what)
    values = values.detach()
    found = (float(values.min()), float(values.max())) if values.numel() else (low, high)
    expect(low <= found[0] and found[1] <= high + 1e-6, f"{what}: from {found[0]:g} to {found[1]:g}")


def backward(loss: Tensor) -> None:
    """Compute the gradients of a loss."""
    expect(loss.requires_grad, "the result depends on nothing that learns: it was detached")
    torch.autograd.backward(loss)


@contextmanager
def no_random_numbers(what: str) -> Iterator[None]:
    """Check that the block draws no random number from torch's or NumPy's generator."""
    before = _generators()
    yield
    drawn = [name for name, state in _generators().items() if state != before[name]]
    expect(not drawn, f"{what} draws random numbers from {' and '.join(drawn)}")


@contextmanager
def no_reseeding() -> Iterator[None]:
    """Check that the block does not reseed torch's generator; drawing from it is allowed."""
    with seeded(_SEED):
        yield
        found = torch.initial_seed()
        expect(found == _SEED, f"torch's generator is reseeded with {found}")


def attributes(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of all modules other than their weights, in a form that can be compared."""
    return {name: _plain(vars(part)) for name, part in module.named_modules()}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the attributes that differ."""
    found = []
    for name, known in after.items():
        old = before.get(name, {})
        found += [f"{name}.{key}".lstrip(".") for key in known if known[key] != old.get(key, _MISSING)]
    return found


_MISSING = object()
_SEED = 2**40 + 11
"""A seed that nobody would choose."""


def _generators() -> dict[str, Any]:
    drawn: Any = np.random.get_state(legacy=True)
    return {"torch": torch.get_rng_state().numpy().tobytes(), "NumPy": (drawn[1].tobytes(), drawn[2])}


def _plain(value: Any) -> Any:
    """Return a comparable copy: numbers, texts and tensors by value, everything else by identity."""
    if isinstance(value, Tensor):
        return repr(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in ("_parameters", "_buffers", "_modules")}
    if isinstance(value, list | tuple | deque):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset | np.ndarray):
        return frozenset(value) if isinstance(value, set | frozenset) else repr(value.tolist())
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value if isinstance(value, str | int | float | type(None)) else id(value)
