"""The components of one kind by address: a built-in by its name, a stranger's by `distribution:name`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.contract.components import Component
from harness.contract.errors import nearest, nearest_or_all
from harness.contract.provider import BUILT_IN, LOCAL, Provider

Offer = tuple[Component[Any], Provider]


def normal(distribution: str) -> str:
    """Return the name of a distribution as addresses state it: small letters and single dashes."""
    return re.sub("[-_.]+", "-", distribution).lower()


def normal_address(address: str) -> str:
    """Return `distribution` or `distribution:component` with the distribution as addresses state it."""
    distribution, separator, component = address.partition(":")
    return f"{normal(distribution)}{separator}{component}"


def address_of(component: Component[Any], provider: Provider) -> str:
    """Return the one form in which trees name a component."""
    bare = provider.distribution in (BUILT_IN, LOCAL)
    return component.name if bare else f"{normal(provider.distribution)}:{component.name}"


class Offers:
    """What all plugins offer of one kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._offers: dict[str, Offer] = {}
        self._by_name: dict[str, list[str]] = {}

    def add(self, component: Component[Any], provider: Provider) -> str | None:
        """Add a component; return why it cannot be added, if so."""
        address, taken = address_of(component, provider), self._by_name.get(component.name, [])
        clash = next((found for found in taken if found == address or ":" not in found), None)
        if clash is not None:
            return f"the {self._kind} {component.name!r} is already provided by {self._offers[clash][1]}"
        self._offers[address] = (component, provider)
        self._by_name.setdefault(component.name, []).append(address)
        return None

    def __ior__(self, other: Offers) -> Offers:
        """Add the components of another catalog that are not here yet."""
        for component, provider in other:
            self.add(component, provider)
        return self

    def __iter__(self) -> Iterator[Offer]:
        """Yield every offer, by name."""
        return iter(self._offers[address] for name in sorted(self._by_name) for address in self._by_name[name])

    def names(self) -> list[str]:
        """Return the shortest spelling of each component that names no other, sorted."""
        spellings = (found if len(found) > 1 else [name] for name, found in self._by_name.items())
        return sorted(spelling for several in spellings for spelling in several)

    def find(self, name: str) -> str | None:
        """Return the address of the component that a name, an address or a distribution with one component means."""
        distribution, separator, component = name.partition(":")
        if separator:
            addresses = self._by_name.get(component, [])
            return next((item for item in addresses if self._is_from(item, distribution)), None)
        found = self._by_name.get(name) or [item for item in self._offers if self._is_from(item, name)]
        return found[0] if len(found) == 1 else None

    def offer(self, address: str) -> Offer:
        """Return the component at an address, and its provider."""
        return self._offers[address]

    def unknown(self, name: str) -> str:
        """Return why `find` has no answer: an ambiguous name with all that offer it, or the nearest name."""
        several = self._by_name.get(name) or [item for item in self._offers if self._is_from(item, name)]
        if len(several) > 1:
            offers = ", ".join(f"{item!r} of {self._offers[item][1]}" for item in several)
            return f"several plugins offer {name!r}: write one of {offers}"
        known = self.names()
        if ":" in name:
            hint = nearest(name, self._offers) or nearest_or_all(name.rpartition(":")[2], known)
        else:
            hint = nearest_or_all(name, known)
        return f"no {self._kind} named {name!r}{hint}"

    def _is_from(self, address: str, distribution: str) -> bool:
        return normal(self._offers[address][1].distribution) == normal(distribution)
