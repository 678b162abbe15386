"""Entry points: which are installed and wanted, and the guard around the import of one. It knows no component."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from harness.contract.errors import nearest
from harness.contract.loading.at_import import watched_import
from harness.contract.loading.attempts import Attempts
from harness.contract.loading.offers import normal
from harness.contract.provider import BUILT_IN, Broken, Provider

GROUP = "harness"
VARIABLE = "HARNESS_PLUGINS"
"""Environment variable: `off` for the built-in plugins alone, or a comma-separated list of further ones."""


@dataclass(frozen=True)
class Wanted:
    """The plugins that `HARNESS_PLUGINS` allows.

    Args:
        names: of entry points or distributions; None for all.
    """

    names: tuple[str, ...] | None = None

    @classmethod
    def of_environment(cls) -> Wanted:
        """Read the variable."""
        text = os.environ.get(VARIABLE, "").strip()
        names = tuple(name for part in text.split(",") if (name := part.strip()))
        return cls(None if not names else () if names == ("off",) else names)

    def allows(self, provider: Provider) -> bool:
        """Return True if a plugin is built in or wanted."""
        return self.names is None or provider.distribution == BUILT_IN or self.named(provider)

    def named(self, provider: Provider) -> bool:
        """Return True if the variable names the plugin."""
        own = (provider.plugin, normal(provider.distribution))
        return any(name in own or normal(name) in own for name in self.names or ())

    def unknown(self, providers: Collection[Provider]) -> Iterator[Broken]:
        """Yield each name that no installed plugin has."""
        known = sorted({name for item in providers for name in (item.plugin, item.distribution)})
        for name in self.names or ():
            if not any(Wanted((name,)).named(provider) for provider in providers):
                reason = f"{VARIABLE} names {name!r}, which is not installed{nearest(name, known)}"
                yield Broken(Provider(name, "unknown", "0"), reason)


def entry_points() -> list[tuple[Any, Provider]]:
    """Return the installed entry points of the group, the built-in ones first."""
    # Any: once the backport importlib_metadata is imported (by MLflow), it provides entry points of its own class.
    found = []
    for entry in importlib.metadata.entry_points(group=GROUP):
        name = entry.dist.name if entry.dist else "unknown"
        version = entry.dist.version if entry.dist else "0"
        found.append((entry, Provider(entry.name, name, version)))
    # Our own distribution first, so that a third party that reuses a built-in name is reported as the clash.
    return sorted(found, key=lambda pair: (pair[1].distribution != BUILT_IN, pair[1].distribution, pair[1].plugin))


@contextmanager
def importing(provider: Provider, attempts: Attempts | None, changes: list[str]) -> Iterator[None]:
    """Observe the import of one plugin and the calls of its hooks that follow.

    Args:
        provider: of the plugin.
        attempts: records of imports; None to keep none.
        changes: receives what the plugin changes in this process.
    """
    with ExitStack() as stack:
        if attempts is not None and provider.distribution != BUILT_IN:
            stack.enter_context(attempts.attempt(provider))
        stack.enter_context(watched_import(changes))
        stack.enter_context(redirect_stdout(sys.stderr))  # what a plugin prints must not precede our JSON
        yield


def ended(provider: Provider) -> Broken:
    """Return why a plugin is not tried again, and how to try it."""
    reason = "it ended the process while it was imported, so it is not loaded; to try it again: "
    return Broken(provider, f"{reason}{VARIABLE}={normal(provider.distribution)} harness plugin list")


def in_one_line(error: BaseException) -> str:
    """Return an error as one line; pluggy names a wrong argument on its second line."""
    return shorten(f"{type(error).__name__}: {error}", 400, placeholder=" …")
