"""New plugin packages: a copy of the shipped example with other names, and with the chosen kinds alone."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from harness.contract.components import KINDS
from harness.contract.errors import InputError

PARTS = (*KINDS, "observer", "command")
"""What a package may hold: a component of each kind, an observer of trials, a command."""
_NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")
_OWN = "acme-example"
"""The distribution of the example. Its module and its variables are written from this name."""
_MADE = {"__pycache__", "build", "dist", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
"""Folders that tools make."""


def example_folder() -> Path:
    """Return the example's folder, in the wheel or in a checkout."""
    package = Path(__file__).parents[2]
    return next(path for path in (package / "example", package.parent / "example") if path.is_dir())


def write_package(name: str, parts: Collection[str], folder: Path) -> list[Path]:
    """Write a new plugin package; return its files.

    Args:
        name: of the distribution, such as "acme-pools"; the module is `acme_pools`.
        parts: of PARTS.
        folder: the folder in which the package gets a folder of its name.

    Raises:
        InputError: the name cannot be used, or the folder exists.
    """
    target = folder / name
    _check(name, target)
    written = []
    for source in sorted(_sources(parts)):
        path = target / _renamed(str(source.relative_to(example_folder())), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        path.write_text(_renamed(_without(text, parts), name), encoding="utf-8")
        written.append(path)
    return written


def _check(name: str, target: Path) -> None:
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r}: a package has a name of small letters, digits and -, such as acme-pools")
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise InputError(f"{name!r}: {module!r} is the name of another module; choose a name that is free")
    if target.exists():
        raise InputError(f"{target}: exists already; choose another name or folder")


def _sources(parts: Collection[str]) -> Iterator[Path]:
    """Yield the files of the example that belong to these parts, or to all."""
    root = example_folder()
    others = set(PARTS) - set(parts)
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        words = {*inside, path.stem.rpartition("_")[2] if inside[0] == "studies" else ""}
        made = any(part in _MADE or part.endswith(".egg-info") for part in inside)
        if path.is_file() and not made and not words & others:
            yield path


def _without(text: str, parts: Collection[str]) -> str:
    """Return a text without the lines that name the hooks of other parts."""
    imported = re.findall(r"^from acme_example\.(\w+) import (\w+)$", text, re.MULTILINE)
    unknown = [hook for part, hook in imported if part in set(PARTS) - set(parts)]
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not any(re.search(rf"\b{hook}\b", line) for hook in unknown))


def _renamed(text: str, name: str) -> str:
    module = name.replace("-", "_")
    for old, new in ((_OWN, name), ("acme_example", module), ("ACME_EXAMPLE", module.upper())):
        text = text.replace(old, new)
    return text
