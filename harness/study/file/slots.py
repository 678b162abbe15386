"""Component tables in full: bare names, defaults of slots, and the author's search space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.config.distributions import is_distribution
from harness.config.merge import merge
from harness.config.space import concretes
from harness.contract.components import Component, Factory, Parameter, Use, parameters
from harness.contract.errors import Problems, nearest
from harness.contract.loading.catalog import Catalog
from harness.trial.settings.training import PARTS

ROOTS = {"dataset": "dataset", "model": "architecture"}
"""Sections of a tree that are components -> their kinds."""
TRAIN: Mapping[str, Parameter] = {key: Parameter(key, Any, default, key) for key, default in PARTS.items()}
"""Slots of [train], which is not a component."""


def expand(tree: Mapping[str, Any], catalog: Catalog, problems: Problems) -> dict[str, Any]:
    """Return the tree with the table of every component written out.

    `pooling = "mean"` becomes a table with `use`. A table without `use` gets the builder's default. `space = "default"`
    adds the author's ranges for keys that the study does not set.
    """
    expanded = {
        section: _expand(table, ROOTS[section], None, catalog, problems, section) if section in ROOTS else table
        for section, table in tree.items()
    }
    if "train" in tree:
        expanded["train"] = _filled(tree["train"], TRAIN, catalog, problems, "train")
    return expanded


def refusal(tree: Mapping[str, Any], path: tuple[str, ...], catalog: Catalog) -> str | None:
    """Return why a `--set` of this path does not apply to an expanded tree, or None if it does."""
    node: Any = tree.get(path[0], {})
    kind = ROOTS.get(path[0])
    default: Any = None
    for depth, key in enumerate(path[1:], start=1):
        if is_distribution(node):
            return f"{'.'.join(path[:depth])} is a range; set the whole range"
        component = _component(_full(node, default), kind, catalog)
        known = parameters(component.build) if component else TRAIN if path[:depth] == ("train",) else {}
        if component and key not in (*known, "use", "space"):
            return f"{component.name!r} takes {', '.join(known) or 'no parameters'}{nearest(key, known)}"
        slot = known.get(key)
        kind, default = (slot.slot, slot.default) if slot else (None, None)
        node = node.get(key, {}) if isinstance(node, Mapping) else {}
    return None


def uses(factory: Factory, kind: str) -> Iterator[tuple[str, Component[Any]]]:
    """Yield a component and all components in its slots, each with its kind."""
    yield kind, factory.component
    known = parameters(factory.component.build)
    for key, value in factory.params.items():
        if isinstance(value, Factory):
            yield from uses(value, str(known[key].slot))


def used(tree: Mapping[str, Any], catalog: Catalog) -> set[tuple[str, str]]:
    """Return kind and address of each component of an expanded tree, with every option of a search."""
    found: set[tuple[str, str]] = set()
    for section, kind in ROOTS.items():
        for table in concretes(tree[section]) if section in tree else ():
            factory = catalog.factory(kind, table, Problems(""), section)
            parts = uses(factory, kind) if factory else ()
            found |= {(inner, catalog.address_of(inner, component)) for inner, component in parts}
    for train in concretes(tree["train"]) if tree.get("model") and "train" in tree else ():
        named = [(kind, catalog.address(kind, item.name)) for kind, item in training(train) if item]
        found |= {(kind, address) for kind, address in named if address}
    return found


def training(train: Mapping[str, Any]) -> Iterator[tuple[str, Use | None]]:
    """Yield kind and component of each slot of a [train] table without ranges; None if its value is none."""
    for key, default in PARTS.items():
        yield key, Use.of(train.get(key, default))


def _expand(table: Any, kind: str, slot: Parameter | None, catalog: Catalog, problems: Problems, path: str) -> Any:
    if is_distribution(table):
        options = table.get("choice")
        if not isinstance(options, list | tuple):
            return table
        return {**table, "choice": [_expand(option, kind, slot, catalog, problems, path) for option in options]}
    table = _full(table, slot.default if slot else None)
    component = _component(table, kind, catalog)
    if component is None:
        return table
    table = {**table, "use": catalog.address(kind, table["use"])}  # one form, so that every spelling has one identity
    if "space" in table:
        table = _with_space(table, component, problems, path)
    return _filled(table, parameters(component.build), catalog, problems, path)


def _filled(
    table: Mapping[str, Any], known: Mapping[str, Parameter], catalog: Catalog, problems: Problems, path: str
) -> dict[str, Any]:
    """Return the table with the components in its slots written out."""
    inner = {
        key: _expand(value, str(known[key].slot), known[key], catalog, problems, f"{path}.{key}")
        for key, value in table.items()
        if key in known and known[key].slot and value is not None
    }
    return {**table, **inner}


def _full(table: Any, default: Any) -> Any:
    if isinstance(table, str):
        return {"use": table}
    if isinstance(table, Use):
        return {"use": table.name, **table.params}
    if isinstance(table, Mapping) and "use" not in table and isinstance(default, Use) and not is_distribution(table):
        return {"use": default.name, **default.params, **table}
    return table


def _component(table: Any, kind: str | None, catalog: Catalog) -> Component[Any] | None:
    name = table.get("use") if isinstance(table, Mapping) else None
    return catalog.get(kind, name) if kind and isinstance(name, str) and catalog.address(kind, name) else None


def _with_space(
    table: Mapping[str, Any], component: Component[Any], problems: Problems, path: str
) -> Mapping[str, Any]:
    rest = {key: value for key, value in table.items() if key != "space"}
    if "space" in parameters(component.build):
        return table
    if table["space"] != "default":
        problems.add(f"{path}.space", f'expected "default", found {table["space"]!r}')
    elif not component.space:
        problems.add(f"{path}.space", f"{component.name!r} has no default ranges")
    merged: Mapping[str, Any] = merge(component.space, rest)
    return merged
