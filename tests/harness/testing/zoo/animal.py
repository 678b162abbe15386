"""A component that breaks a law, and the other laws that it must break with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness import Component


@dataclass(frozen=True)
class Animal:
    """A component that breaks the law of its name.

    Args:
        component: bears the name of the law.
        also: other laws that it cannot help but break; of those that train, none is tried.
        exact: False if it breaks those only where arrays are read-only.
    """

    component: Component[Any]
    also: frozenset[str] = frozenset()
    exact: bool = True


def animal(law: str, build: Callable[..., Any], also: Iterable[str] = (), **declared: Any) -> Animal:
    return Animal(Component(name=law, build=build, summary=f"breaks {law}", **declared), frozenset(also))
