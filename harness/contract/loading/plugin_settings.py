"""Settings of a plugin from `[plugins.NAME]` of harness.toml; what comes from the environment is masked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from harness.contract.errors import InputError
from harness.contract.loading.offers import normal
from harness.contract.provider import Provider

FROM_ENVIRONMENT = "env:"
LEAST = 4
"""Characters of a value that is masked in texts; a shorter one would also hide what is no secret."""


class PluginSettings(Mapping[str, Any]):
    """The settings of one plugin, which its hooks receive. Shown, a value from the environment is `env:NAME`.

    Args:
        table: as written; a value `env:NAME` is read from the environment.
        where: of the table, for errors.

    Raises:
        InputError: a variable is not set; every one is named.
    """

    def __init__(self, table: Mapping[str, Any], where: str = "") -> None:
        missing: list[str] = []
        self._written, self.secrets = table, dict[str, str]()
        self._values = {key: self._read(value, f"{where}.{key}", missing) for key, value in table.items()}
        if missing:
            raise InputError("; ".join(missing))

    def __getitem__(self, key: str) -> Any:
        """Return a value, read from the environment if the table says so."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._values)

    def __repr__(self) -> str:
        return f"PluginSettings({dict(self._written)!r})"

    def _read(self, value: Any, path: str, missing: list[str]) -> Any:
        if isinstance(value, Mapping):
            return {key: self._read(item, f"{path}.{key}", missing) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._read(item, path, missing) for item in value]
        if not (isinstance(value, str) and value.startswith(FROM_ENVIRONMENT)):
            return value
        name = value.removeprefix(FROM_ENVIRONMENT)
        if (found := os.environ.get(name)) is None:
            missing.append(f"{path}: the environment variable {name} is not set")
            return None
        if len(found) >= LEAST:
            self.secrets[found] = value
        return found


def masked(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with `env:NAME` in place of each value from the environment, longest first."""
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, secrets[value])
    return text


def owns(provider: Provider, address: str) -> bool:
    """Return True if an address of harness.toml is of this plugin or of a component of it."""
    owner = address.partition(":")[0]
    return owner == provider.plugin or normal(owner) == normal(provider.distribution)


def settings_of(provider: Provider, tables: Mapping[str, Mapping[str, Any]]) -> PluginSettings:
    """Return the settings of a plugin; those of one component, at `distribution:component`, are a table in them.

    Raises:
        InputError: a variable of the environment is not set.
    """
    found: dict[str, Any] = {}
    for address, table in tables.items():
        component = address.partition(":")[2]
        if owns(provider, address):
            found |= {component: dict(table)} if component else dict(table)
    return PluginSettings(found, f"harness.toml: plugins.{normal(provider.distribution)}")
