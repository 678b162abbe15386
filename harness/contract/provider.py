"""The provider of a component: the plugin, its distribution and version."""

from __future__ import annotations

from dataclasses import dataclass

BUILT_IN = "mil-harness"
"""The distribution of the built-in components."""
LOCAL = "local"
"""The distribution of plugins that a program registers by itself."""


@dataclass(frozen=True)
class Provider:
    """The source of a plugin: its entry point, distribution and version."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Broken:
    """A plugin, or one of its components, that cannot be used, with the reason."""

    provider: Provider
    reason: str
    details: str = ""


@dataclass(frozen=True)
class Remark:
    """A likely mistake of a plugin that is used all the same."""

    provider: Provider
    message: str
