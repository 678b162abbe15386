"""Checks of a builder's signature, which is the schema of a component; a refusal shows the corrected line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from inspect import Parameter as Argument
from typing import Any, Literal, get_args, get_origin

from harness.contract.components import Component, Parameter, Use, mismatch, parameters
from harness.contract.metrics import MetricRecord

SUPPLIED: Mapping[str, tuple[str, ...]] = {
    "dataset": ("root: Path",),
    "backbone": ("channels: int",),
    "pooling": ("features: int", "outputs: int"),
    "architecture": ("task: Task",),
    "explainer": (),
    "optimiser": ("groups: list[dict[str, Any]]", "lr: float", "weight_decay: float"),
    "schedule": ("steps: int", "epochs: int"),
}
"""Kind of component -> the arguments that the harness passes by position; those of a metric depend on its form."""
_BY_POSITION = (Argument.POSITIONAL_ONLY, Argument.POSITIONAL_OR_KEYWORD)
_ANONYMOUS = "TYPE"
"""Placeholder for an annotation that nothing in the signature suggests."""


def wrong_signature(kind: str, component: Component[Any]) -> str | None:
    """Return every mistake of a builder's signature with the corrected line, or None."""
    try:
        signature, settings = inspect.signature(component.build), parameters(component.build)
        supplied = supplied_to(kind, component)
        mistakes = list(_mistakes(signature, settings, supplied))
    except Exception as error:  # an annotation is evaluated: any error of the plugin may come of it
        return f"the signature of {component.name!r} cannot be read: {type(error).__name__}: {error}"
    if not mistakes:
        return None
    name = getattr(component.build, "__name__", "build")
    line = f"def {name}({', '.join(_corrected(signature, settings, supplied))})"
    return f"the signature of {component.name!r}: {'; '.join(mistakes)}; write `{line}`"


def supplied_to(kind: str, component: Component[Any]) -> tuple[str, ...]:
    """Return the arguments that the harness passes by position, with their annotations."""
    if not isinstance(component, MetricRecord):
        return SUPPLIED[kind]
    if component.form == "term":
        maps = component.reads not in ("attention", "weights")
        return ("saliency: Array", "mask: Array") if maps else ("weights: Array",)
    threshold = ("threshold: float",) if component.fit is not None else ()
    weights = ("weights: Array | None",) if component.form == "statistic" else ()
    return ("terms: Any", *weights, *threshold)


def _mistakes(
    signature: inspect.Signature, settings: Mapping[str, Parameter], supplied: tuple[str, ...]
) -> Iterator[str]:
    arguments = list(signature.parameters.values())
    positional = [item for item in arguments if item.kind in _BY_POSITION]
    catch_all = any(item.kind is Argument.VAR_POSITIONAL for item in arguments)
    if len(positional) < len(supplied) and not catch_all:
        missing = ", ".join(text.partition(":")[0] for text in supplied[len(positional) :])
        yield f"the harness supplies {len(supplied)} by position, and {missing} has no parameter"
    for item in positional[len(supplied) :]:
        yield f"{item.name!r} is a setting: write it after `*`"
    for item in arguments:
        if item.kind is Argument.VAR_KEYWORD:
            yield f"`**{item.name}` would take a misspelt setting: name each setting"
    for setting in settings.values():
        if signature.parameters[setting.name].annotation is Argument.empty:
            yield f"{setting.name!r} has no annotation, which states its values"
        elif not _default_fits(setting):
            yield f"the default of {setting.name!r} does not fit: {mismatch(setting.annotation, setting.default)}"


def _default_fits(setting: Parameter) -> bool:
    if setting.required or (setting.slot and isinstance(setting.default, Use | str | Mapping)):
        return True
    return mismatch(setting.annotation, setting.default) is None


def _corrected(
    signature: inspect.Signature, settings: Mapping[str, Parameter], supplied: tuple[str, ...]
) -> Iterator[str]:
    """Yield the parameters of the corrected line, with `/` and `*` between them."""
    arguments = signature.parameters.values()
    positional = [item for item in arguments if item.kind in _BY_POSITION]
    for text, item in zip(supplied, [*positional, *[None] * len(supplied)], strict=False):
        yield text if item is None or item.annotation is Argument.empty else f"{item.name}: {_shown(item.annotation)}"
    if supplied:
        yield "/"
    rest = positional[len(supplied) :] + [item for item in arguments if item.kind is Argument.KEYWORD_ONLY]
    if rest:
        yield "*"
    for item in rest:
        default = "" if item.default is Argument.empty else f" = {_written(item.default)}"
        yield f"{item.name}: {_annotation(item, settings.get(item.name))}{default}"


def _annotation(item: Argument, setting: Parameter | None) -> str:
    if item.annotation is Argument.empty:
        return _ANONYMOUS if item.default in (Argument.empty, None) else _type_of(item.default)
    if setting is None or _default_fits(setting):
        return _shown(item.annotation)
    if setting.annotation is int and isinstance(item.default, float):
        return "float"
    if get_origin(setting.annotation) is Literal:
        return f"Literal[{', '.join(map(repr, (*get_args(setting.annotation), item.default)))}]"
    return f"{_shown(item.annotation)} | {_type_of(item.default)}"


def _type_of(value: Any) -> str:
    if isinstance(value, list | tuple):
        inner = sorted({_type_of(item) for item in value})
        return f"list[{' | '.join(inner)}]" if inner else "list"
    return "None" if value is None else type(value).__name__


def _shown(annotation: Any) -> str:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation.__name__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _written(default: Any) -> str:
    if isinstance(default, Use):
        inner = [repr(default.name), *(f"{key}={_written(value)}" for key, value in default.params.items())]
        return f"use({', '.join(inner)})"
    return repr(default)
