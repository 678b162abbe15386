"""Components by the names that a user writes: a distribution, a component, or `distribution:component`."""

from __future__ import annotations

from typing import Any, TypeAlias

from harness.contract.components import Component
from harness.contract.errors import InputError, nearest
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.offers import normal
from harness.contract.provider import Broken, Provider

Item: TypeAlias = tuple[str, Component[Any], Provider]
"""Kind, component, provider."""


def find(catalog: Catalog, name: str) -> list[Item]:
    """Return the components that a name means; empty for a plugin that has hooks alone or could not be loaded.

    Raises:
        InputError: nothing has this name; the message suggests the nearest one.
    """
    owner, colon, part = name.partition(":")
    items = list(catalog.items())
    found = [item for item in items if belongs(item[2], owner) and part in ("", item[1].name)]
    if not found and not colon:
        found = [item for item in items if item[1].name == name]
    if found or (not colon and (broken_of(catalog, name) or _loaded(catalog, name))):
        return found
    hint = nearest(name, _known(catalog, owner, colon)) or "; `harness plugin list` shows all"
    raise InputError(f"no plugin or component named {name!r}{hint}")


def broken_of(catalog: Catalog, name: str) -> list[Broken]:
    """Return what could not be loaded of a plugin."""
    return [item for item in catalog.broken if belongs(item.provider, name)]


def belongs(provider: Provider, name: str) -> bool:
    """Return True if a name or address is that of the provider's distribution or entry point."""
    return normal(name.partition(":")[0]) in (normal(provider.distribution), normal(provider.plugin))


def _loaded(catalog: Catalog, name: str) -> bool:
    return any(belongs(provider, name) for provider in catalog.providers.values())


def _known(catalog: Catalog, owner: str, colon: str) -> list[str]:
    if colon and (own := [item[1].name for item in catalog.items() if belongs(item[2], owner)]):
        return [f"{owner}:{name}" for name in own]
    providers = [*catalog.providers.values(), *(item.provider for item in catalog.broken)]
    return sorted({provider.distribution for provider in providers} | {item[1].name for item in catalog.items()})
