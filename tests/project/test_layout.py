"""The folders show the architecture: no import cycle, no arrow up, no wide folder. Every import counts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIDEST = 14
"""Files and folders side by side, `__init__` and `__main__` not counted."""
LAYERS = (
    ("contract",),
    ("config", "statistics"),
    ("metrics",),
    ("tables",),
    ("trial",),
    ("audit", "reporting"),
    ("study",),
    ("adapters", "testing"),
    ("api",),
    ("cli",),
)
"""Folders of harness/, each importing only those of its own line or of a line above it."""
Graph = Mapping[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Return every module of harness/ and plugins/ by its dotted name."""
    found = {}
    for top, root in (("harness", ROOT), ("plugins", ROOT / "plugins")):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def graph() -> dict[str, set[str]]:
    """Return the modules that each module imports: type-only, inside functions and in `__init__` as well."""
    return {name: set(_imported(name, path)) for name, path in modules().items()}


def test_no_module_imports_itself_through_others() -> None:
    assert list(cycles(graph())) == []


def test_no_folder_imports_a_sibling_that_imports_it() -> None:
    found = [(parent, group) for parent, edges in _siblings(graph()).items() for group in cycles(edges)]
    assert found == []


def test_no_folder_of_harness_imports_one_above_it() -> None:
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    up = [
        f"{source} imports {target}"
        for source, targets in graph().items()
        for target in targets
        if (a := level.get(_folder(source))) is not None and (b := level.get(_folder(target))) is not None and b > a
    ]
    assert up == []


def test_every_folder_of_harness_has_its_layer() -> None:
    folders = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert folders <= {name for names in LAYERS for name in names}


def test_nothing_inside_harness_imports_the_root_package() -> None:
    inside = [name for name, targets in graph().items() if name.startswith("harness.") and "harness" in targets]
    assert [name for name in inside if name != "harness.__main__"] == []


@pytest.mark.parametrize("top", ["harness", "plugins", "tests"])
def test_no_folder_is_wide(top: str) -> None:
    folders = [ROOT / top, *(path for path in (ROOT / top).rglob("*") if path.is_dir() and path.name != "__pycache__")]
    wide = {str(folder.relative_to(ROOT)): len(inside) for folder in folders if len(inside := _inside(folder)) > WIDEST}
    assert wide == {}


def test_no_folder_bears_a_public_name() -> None:
    """Importing `harness.results.x` would replace the function `harness.results`."""
    import harness

    folders = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert folders & set(harness.__all__) == set()


def test_a_cycle_is_found() -> None:
    assert list(cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == [["a", "b", "c"]]


def cycles(edges: Graph) -> Iterator[list[str]]:
    """Yield every group of two or more nodes that reach each other."""
    reached = {node: _reached(edges, node) for node in edges}
    done: set[str] = set()
    for node in sorted(edges):
        group = sorted(other for other in reached[node] if node in reached.get(other, set()))
        if len(group) > 1 and node not in done:
            done |= set(group)
            yield group


def _reached(edges: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += edges.get(node, ())
    return found


def _imported(name: str, path: Path) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for target in _targets(node, package):
            while target and target not in modules():
                target = target.rpartition(".")[0]
            if target and target != name:
                yield target


def _targets(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def _siblings(edges: Graph) -> dict[str, dict[str, set[str]]]:
    """Return, for each folder, which of its files and folders import which others."""
    found: dict[str, dict[str, set[str]]] = {}
    for name, targets in edges.items():
        for target in targets:
            source, there = name.split("."), target.split(".")
            same = next((i for i, (a, b) in enumerate(zip(source, there, strict=False)) if a != b), None)
            if same:
                inside = found.setdefault(".".join(source[:same]), {})
                inside.setdefault(source[same], set()).add(there[same])
    return found


def _folder(name: str) -> str:
    return name.split(".")[1] if name.startswith("harness.") else ""


def _inside(folder: Path) -> list[Path]:
    files = [path for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")]
    return files + [path for path in folder.iterdir() if path.is_dir() and any(path.rglob("*.py"))]
