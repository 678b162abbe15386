"""Merging of tables: a patch over a base. A distribution is a leaf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.config.distributions import is_distribution


def merge(base: Any, patch: Any) -> Any:
    """Merge `patch` into `base`.

    Tables are merged, and every other value is replaced. A distribution is a leaf. A table that uses
    another component replaces the whole table. A bare name (`pooling = "mean"`) is a table with only `use`.
    """
    if not isinstance(patch, Mapping) or is_distribution(patch) or is_distribution(base):
        return patch
    if isinstance(base, str) and "use" not in patch:
        base = {"use": base}
    if not isinstance(base, Mapping) or _other_component(base, patch):
        return patch
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in patch.items()}}


def _other_component(base: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    new, old = patch.get("use"), base.get("use")
    return isinstance(new, str) and old is not None and not _same(str(old), new)


def _same(one: str, other: str) -> bool:
    """Return True if two spellings name one component: `name` and `distribution:name`."""
    if ":" in one and ":" in other:
        return one == other
    return one.rpartition(":")[2] == other.rpartition(":")[2]
