"""Patches of a tree: changes of a study's base by budgets, variants and `--set`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.contract.errors import InputError
from harness.study.file.spec import SECTIONS

_WORD = re.compile(r"([A-Za-z_]|\.{0,2}/|~/)[A-Za-z0-9_./~+-]*")


@dataclass(frozen=True)
class Override:
    """A `--set a.b=VALUE`."""

    path: tuple[str, ...]
    value: Any

    @property
    def dotted(self) -> str:
        """The path as the user wrote it."""
        return ".".join(self.path)

    @property
    def table(self) -> dict[str, Any]:
        """The patch as tables."""
        return nested(self.path, self.value)


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `a.b = value` as tables."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def states(tree: Any, path: Sequence[str]) -> bool:
    """Return True if the tree itself has a value at this path."""
    for key in path:
        if isinstance(tree, list | tuple) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, Mapping) and key in tree:
            tree = tree[key]
        else:  # a bare name is a table with only `use`
            return isinstance(tree, str) and key == "use"
    return True


def parse_override(text: str, option: str = "--set") -> Override:
    """Parse `a.b=VALUE`: a TOML value, bare words as strings; `variants.a.b` is `a.b`.

    Args:
        text: the argument of the option.
        option: named in the error.

    Raises:
        InputError: there is no `=`, or the path or value cannot be parsed.
    """
    path_text, equals, value_text = text.partition("=")
    if not equals or not path_text.strip():
        raise InputError(f"{option} {text}: expected a.b=VALUE")
    path = _path(path_text.strip(), text, option)
    value_text = value_text.strip()
    try:
        table = tomllib.loads(f"value = {value_text}")
    except tomllib.TOMLDecodeError:
        table = {"value": value_text} if _WORD.fullmatch(value_text) else {}
    if list(table) != ["value"]:
        raise InputError(f"{option} {text}: {value_text!r} is not a TOML value; a string with spaces needs quotes")
    return Override(path, table["value"])


def _path(path_text: str, text: str, option: str) -> tuple[str, ...]:
    try:
        node: Any = tomllib.loads(f"{path_text} = 0")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{option} {text}: {path_text!r} is not a dotted path") from error
    path = []
    while isinstance(node, dict):
        if len(node) != 1:
            raise InputError(f"{option} {text}: {path_text!r} is not a dotted path")
        key, node = next(iter(node.items()))
        path.append(key)
    return tuple(path[1:] if path[0] == "variants" and len(path) > 2 and path[1] not in SECTIONS else path)
