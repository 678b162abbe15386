"""Declares an optimiser from its builder, and checks its parameters. Free of torch."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from harness import Component

Groups: TypeAlias = list[dict[str, Any]]
Betas: TypeAlias = tuple[float, float]

_OPTIONS = {"mars_type": Literal["adamw", "lion"]}
_DECAYS = ("alpha", "betas", "momentum")
_POSITIVE = ("clip_exp", "clip_threshold", "delta", "max_grad_norm", "min_dim_size_to_factor", "trust_coeff")
_NOT_NEGATIVE = ("eps", "gamma", "wd_ratio")

MEANINGS: Mapping[str, str] = {
    "groups": "torch's parameter groups.",
    "lr": "`train.lr`.",
    "weight_decay": "`train.weight_decay`.",
    "alpha": "weight of the past in the running mean of squares, in [0, 1).",
    "always_adapt": "True to scale steps of weights without weight decay, too.",
    "amsgrad": "True to divide by the highest second moment so far.",
    "betas": "weights of the past in the running moments, each in [0, 1).",
    "caution": "True to leave out the elements of a step whose sign is not that of the gradient.",
    "centered": "True to subtract the mean gradient, so that its variance is what divides.",
    "clip_exp": "exponent of the step's number that bounds an update, above 0.",
    "clip_threshold": "highest root mean square of an update, above 0.",
    "decay_rate": "exponent of the step's number in the decay of second moments, in [-1, 0).",
    "decoupled": "True to apply weight decay to the weights, not to the gradient.",
    "decoupled_decay": "True to apply weight decay to the weights, not to the gradient.",
    "decoupled_weight_decay": "True to apply weight decay to the weights, not to the gradient.",
    "delta": "cosine similarity of weights and gradient below which the step is projected, above 0.",
    "eps": "number added to a denominator for stability, at least 0.",
    "gamma": "weight of the gradient's last change in its correction, at least 0.",
    "grad_averaging": "True to weight a new gradient by one less the first of `betas`.",
    "lr_in_momentum": "True to keep the learning rate inside the momentum, as TensorFlow does.",
    "mars_type": 'the rule of the step: "adamw" or "lion".',
    "max_grad_norm": "highest norm of the gradient of all weights, above 0.",
    "min_dim_size_to_factor": "smallest side from which second moments are kept as row and column means, above 0.",
    "momentum": "weight of earlier gradients, in [0, 1).",
    "nesterov": "True to look ahead by one step of momentum; needs a momentum above 0.",
    "no_prox": "True to apply weight decay before the step, as AdamW does.",
    "optimize_1d": "True to correct the gradients of vectors, such as biases, too.",
    "rectify": "True to correct the variance of the first steps, as RAdam does.",
    "trust_clip": "True to bound the scale of each layer's step by 1.",
    "trust_coeff": "scale of each layer's step, above 0.",
    "wd_ratio": "factor of weight decay for weights whose step is projected, at least 0.",
}
"""Parameter -> its meaning. The same words for every optimiser, written into each builder's docstring."""


def optimiser(source: str = "", **said: Any) -> Callable[[Callable[..., Any]], Component[Any]]:
    """Return a decorator that makes a component of a builder.

    Name, summary and parameters are those of the builder: its name, the first line of its docstring, its signature.
    The meanings of its parameters are added to its docstring.

    Args:
        source: paper or URL.
        said: further fields of the component.
    """

    def declare(build: Callable[..., Any]) -> Component[Any]:
        summary = (build.__doc__ or "").partition("\n")[0].rstrip(".")
        _document(build, inspect.signature(build).parameters)
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
    types = {key: _type(key, value) for key, value in defaults.items()}
    own = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=types[key])
        for key, value in defaults.items()
    ]
    vars(build)["__signature__"] = inspect.Signature([*supplied, *own])
    build.__annotations__ |= types
    _document(build, vars(build)["__signature__"].parameters)
    return Component(name=name, build=build, summary=summary, source=source, facts=checked)


def checked(**params: Any) -> Mapping[str, Any]:
    """Return no facts.

    Raises:
        ValueError: parameters are out of range; names all that are.
    """
    if wrong := list(_out_of_range(params)):
        raise ValueError("; ".join(wrong) + ".")
    return {}


def _document(build: Callable[..., Any], names: Iterable[str]) -> None:
    meanings = "\n".join(f"    {name}: {MEANINGS[name]}" for name in names)
    build.__doc__ = f"{build.__doc__ or ''}\n\nArgs:\n{meanings}\n"


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
