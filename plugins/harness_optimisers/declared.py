"""Declares an optimiser from its builder, and checks its parameters. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from harness import Component

Groups: TypeAlias = list[dict[str, Any]]
Betas: TypeAlias = tuple[float, float]

_DECAYS = ("alpha", "betas", "momentum")
_POSITIVE = ("clip_exp", "clip_threshold", "delta", "max_grad_norm", "min_dim_size_to_factor", "trust_coeff")
_NOT_NEGATIVE = ("eps", "gamma", "wd_ratio")


def optimiser(source: str = "", **said: Any) -> Callable[[Callable[..., Any]], Component[Any]]:
    """Return a decorator that makes a component of a builder.

    Name, summary and parameters are those of the builder: its name, the first line of its docstring, its signature.

    Args:
        source: paper or URL.
        said: further fields of the component.
    """

    def declare(build: Callable[..., Any]) -> Component[Any]:
        summary = (build.__doc__ or "").partition("\n")[0].rstrip(".")
        return Component(name=build.__name__, build=build, summary=summary, source=source, facts=checked, **said)

    return declare


def checked(**params: Any) -> Mapping[str, Any]:
    """Return no facts.

    Raises:
        ValueError: parameters are out of range; names all that are.
    """
    if wrong := list(_out_of_range(params)):
        raise ValueError("; ".join(wrong) + ".")
    return {}


def _out_of_range(params: Mapping[str, Any]) -> Iterator[str]:
    for name, value in params.items():
        values = value if isinstance(value, tuple) else (value,)
        if name in _DECAYS and not all(0 <= item < 1 for item in values):
            yield f"`0 <= {name} < 1` must hold, but got {name}={value}"
        if name in _POSITIVE and not value > 0:
            yield f"`{name} > 0` must hold, but got {name}={value}"
        if name in _NOT_NEGATIVE and not value >= 0:
            yield f"`{name} >= 0` must hold, but got {name}={value}"
        if name == "decay_rate" and not -1 <= value < 0:
            yield f"`-1 <= decay_rate < 0` must hold, but got decay_rate={value}"
    if params.get("nesterov") and params.get("momentum") == 0:
        yield "`nesterov` needs a momentum above 0"
