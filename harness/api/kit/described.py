"""Everything that a component declares, as plain values, for `harness plugin show` and `list --json`.

The meaning of a parameter has one source: the `Args` of the builder's docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Literal, get_args, get_origin

from harness.api.kit.addresses import Item
from harness.contract.components import Component, Parameter, Use, describe, parameters
from harness.contract.loading.offers import address_of

_SECTION = re.compile(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)
_NUMBER = r"-?\d[\d.,]*"
_RANGE = re.compile(
    rf"\b(in [\[(]{_NUMBER}, {_NUMBER}[\])]|(at least|above|at most) {_NUMBER}(?<![.,])"
    rf"|{_NUMBER} or more|one of [^;:]*\d)",
    re.IGNORECASE,
)


def described(item: Item) -> dict[str, Any]:
    """Return kind, name, parameters, needs, provides, space, source, assumptions and provider of a component."""
    kind, component, provider = item
    row: dict[str, Any] = {"kind": kind, "address": address_of(component, provider)}
    row |= {name: getattr(component, name) for name in ("name", "summary", "source")}
    row |= {name: sorted(getattr(component, name)) for name in ("needs", "provides")}
    tables = ("space", "tiny", "refuses", "assumed", "xfail")
    row |= {name: plain(dict(getattr(component, name))) for name in tables}
    return row | {"parameters": parameter_rows(component)} | asdict(provider)


def parameter_rows(component: Component[Any]) -> list[dict[str, Any]]:
    """Return name, type, range, meaning and default, if any, of each parameter."""
    known = meanings(component.build)
    return [_parameter(item, known.get(item.name, "")) for item in parameters(component.build).values()]


def meanings(build: Callable[..., Any]) -> dict[str, str]:
    """Return the meaning of each parameter that the `Args` of a builder's docstring describe."""
    section = _SECTION.search((inspect.getdoc(build) or "") + "\n")
    if section is None:
        return {}
    entries = re.split(r"^    (\w+): ", section[1].expandtabs(), flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()).rstrip(".") for name, text in zip(entries[::2], entries[1::2], strict=True)}


def plain(value: Any) -> Any:
    """Return a value as a study would write it."""
    if isinstance(value, Use):
        return {"use": value.name, **plain(dict(value.params))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _parameter(parameter: Parameter, meaning: str) -> dict[str, Any]:
    kind = f"a {parameter.slot}" if parameter.slot else describe(parameter.annotation)
    row: dict[str, Any] = {"name": parameter.name, "type": kind, "range": _range(parameter, meaning)}
    row |= {"meaning": meaning, "required": parameter.required}
    return row if parameter.required else row | {"default": plain(parameter.default)}


def _range(parameter: Parameter, meaning: str) -> str:
    """Return the values that are allowed, as the annotation lists them or the meaning states them."""
    if get_origin(parameter.annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(parameter.annotation)))
    found = _RANGE.search(meaning)
    return found[0] if found else ""
