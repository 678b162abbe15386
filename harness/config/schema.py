"""Validation of a table against a pydantic model, with messages for users. Holds no models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from harness.config.distributions import KINDS
from harness.contract.errors import Problems, nearest

M = TypeVar("M", bound=BaseModel)
Error = Mapping[str, Any]

_TYPES = {
    "int_type": "int",
    "int_from_float": "int",
    "float_type": "float",
    "bool_type": "true or false",
    "string_type": "string",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "table",
    "model_type": "table",
    "model_attributes_type": "table",
}


def validate(model: type[M], table: Any, problems: Problems, path: str = "") -> M | None:
    """Return the model that `table` describes, or None after adding every mistake to `problems`."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            keys, owners = _locate(model, item["loc"])
            problems.add(dotted(path, *keys), _message(item, owners))
        return None


def dotted(*parts: object) -> str:
    """Join the parts with dots, without empty ones."""
    return ".".join(str(part) for part in parts if str(part))


def _message(item: Error, owners: Sequence[type[BaseModel]]) -> str:
    kind, found, context = str(item["type"]), item.get("input"), item.get("ctx", {})
    if kind == "extra_forbidden":
        known = sorted({field.alias or name for owner in owners for name, field in owner.model_fields.items()})
        key = str(item["loc"][-1])
        return f"unknown key; allowed are {', '.join(known)}{nearest(key, known)}"
    if kind == "missing":
        return "this key is needed"
    if kind in _TYPES:
        first = next(iter(found), "") if isinstance(found, Mapping) else ""
        meant = nearest(str(first), KINDS) if first not in KINDS else ""
        return f"expected {_TYPES[kind]}, found {found!r}{meant}"
    if kind == "literal_error":
        field = [part for part in item["loc"] if isinstance(part, str)][-1]
        return _not_one_of(found, [option for owner in owners for option in _options(owner, field)])
    if kind == "union_tag_invalid":
        return _not_one_of(context["tag"], [tag for owner in owners for tag in _options(owner, "use")])
    if kind == "union_tag_not_found" or (kind == "model_attributes_type" and _options(owners[0], "use")):
        return f'expected a table with `use = "name"`, found {found!r}'
    if kind == "too_short":
        least = context["min_length"]
        return f"expected at least {least} {'entry' if least == 1 else 'entries'}, found {found!r}"
    if kind == "value_error":
        return str(context["error"])
    message = str(item["msg"])
    return f"{message.replace('Input should', 'must', 1)}, found {found!r}"


def _not_one_of(found: Any, options: Iterable[Any]) -> str:
    names = list(dict.fromkeys(map(str, options)))
    return f"{found!r} is not one of {', '.join(names)}{nearest(str(found), names)}"


def _locate(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """Return the keys a user wrote and the models that own the last one. A union's tag in `loc` is not a key."""
    keys: list[str] = []
    owners, inside = [model], [model]
    for part in loc:
        tagged = [option for option in inside if part in _options(option, "use")]
        if tagged and len(inside) > 1:
            inside = tagged
            continue
        owners = inside or owners
        keys.append(str(part))
        if isinstance(part, str):
            fields = [owner.model_fields[part] for owner in inside if part in owner.model_fields]
            inside = [inner for field in fields for inner in _models(field.annotation)]
    return keys, (inside if len(inside) > 1 else owners)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _options(model: type[BaseModel], name: int | str) -> tuple[Any, ...]:
    if not isinstance(name, str) or name not in model.model_fields:
        return ()
    return tuple(_literals(model.model_fields[name].annotation))


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for argument in get_args(annotation):
            yield from _literals(argument)
