"""A digest of a plugin's code, for plugins whose version says nothing of it: editable installs and single files.

It is of the syntax trees, so that comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import linecache
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.contract.provider import BUILT_IN, LOCAL, Provider

_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def is_fluid(provider: Provider) -> bool:
    """Return True if the code can change while the version stays: an editable install, or no distribution at all."""
    if provider.distribution in (BUILT_IN, LOCAL):
        return False
    try:
        text = importlib.metadata.distribution(provider.distribution).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return True
    url = json.loads(text) if text else {}
    return bool(url.get("dir_info", {}).get("editable"))


def code_digest(plugins: Iterable[Any]) -> str:
    """Return the digest of the packages of some plugins, as their files are now; nothing is executed.

    Args:
        plugins: modules, or objects whose classes are in modules.
    """
    found = hashlib.sha256()
    for name, path in sorted({item for plugin in plugins for item in _sources(plugin)}):
        found.update(name.encode() + b"\0" + _digest(path))
    return found.hexdigest()


def _sources(plugin: Any) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file of the top-level package of a plugin, or of its single module."""
    module = plugin if hasattr(plugin, "__file__") else sys.modules.get(type(plugin).__module__)
    top = sys.modules.get(str(getattr(module, "__name__", "")).partition(".")[0], module)
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    for folder in folders:
        yield from ((str(path.relative_to(folder)), path) for path in folder.rglob("*.py"))
    if not folders and (file := getattr(module, "__file__", None)):
        yield Path(file).name, Path(file)


def _digest(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:  # a single file that came from another machine
        data = "".join(linecache.getlines(str(path))).encode()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return hashlib.sha256(data).digest()
    for node in ast.walk(tree):
        if isinstance(node, _BODIES) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).digest()
