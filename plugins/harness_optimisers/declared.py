"""Declares an optimiser from its builder, and checks its parameters. Free of torch."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from harness import Component

Groups: TypeAlias = list[dict[str, Any]]
Betas: TypeAlias = tuple[float, float]

_OPTIONS = {"mars_type": Literal["adamw", "lion"]}
_DECAYS = ("alpha", "betas", "momentum")
_POSITIVE = ("clip_exp", "clip_threshold", "delta", "max_grad_norm", "min_dim_size_to_factor", "trust_coeff")
_NOT_NEGATIVE = ("eps", "gamma", "wd_ratio")


def optimiser(source: str = "", **said: Any) -> Callable[[Callable[..., Any]], Component[Any]]:
    """Return a decorator that makes a component of a builder.

    Name, summary and parameters are those of the builder: its name, the first line of its docstring, its signature.
    """

    def declare(build: Callable[..., Any]) -> Component[Any]:
        summary = (build.__doc__ or "").partition("\n")[0].rstrip(".")
        return Component(name=build.__name__, build=build, summary=summary, source=source, facts=checked, **said)

    return declare


def timms(
    name: str, kind: str, summary: str, source: str, module: str = "timm.optim", **defaults: Any
) -> Component[Any]:
    """Return the component of a class that takes groups, `lr`, `weight_decay` and these parameters.

    Args:
        name: timm's name of the optimiser.
        kind: name of the class.
        summary: one line.
        source: paper or URL.
        module: of the class.
        defaults: parameter -> default, whose type is the parameter's.
    """

    def build(groups: Groups, lr: float, weight_decay: float, /, **params: Any) -> Any:
        made = getattr(importlib.import_module(module), kind)
        return made(groups, lr, weight_decay=weight_decay, **{**defaults, **params})

    supplied = [item for item in inspect.signature(build).parameters.values() if item.kind is item.POSITIONAL_ONLY]
    own = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value) for key, value in defaults.items()]
    vars(build)["__signature__"] = inspect.Signature([*supplied, *own])
    build.__annotations__ |= {key: _type(key, value) for key, value in defaults.items()}
    return Component(name=name, build=build, summary=summary, source=source, facts=checked)


def checked(**params: Any) -> Mapping[str, Any]:
    """Return no facts.

    Raises:
        ValueError: parameters are out of range; names all that are.
    """
    if wrong := list(_out_of_range(params)):
        raise ValueError("; ".join(wrong) + ".")
    return {}


def _type(name: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple[(float,) * len(default)]  # type: ignore[misc]
    return _OPTIONS.get(name, type(default))


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
