"""Configuration of the documentation site: Sphinx, MyST Markdown, furo. `make docs` builds it, without a network."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version as version_of
from typing import Any

PUBLIC = ("harness", "harness.nn", "harness.metrics.functional", "harness.testing")
"""The modules that the page "Python API" documents: every name in their `__all__`."""
PENDING = {"harness.testing": ""}
"""Public module -> the module that holds its names until it exists ("" leaves it out). To be emptied."""

project = "harness"
author = "the harness authors"
version = release = version_of("mil-harness")
html_title = f"harness {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
exclude_patterns = ["_build"]
nitpick_ignore_regex = [
    ("py:.*", ".*")
]  # annotations name classes of torch, NumPy and jaxtyping, which this site does not hold
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False


def exports(module: str) -> list[str]:
    """Return the reStructuredText lines that document each public name of a module: functions first, then classes."""
    loaded = importlib.import_module(module)
    names = sorted(loaded.__all__, key=lambda name: (inspect.isclass(getattr(loaded, name)), name.lower()))
    lines: list[str] = []
    for name in names:
        lines += ["", *_entry(getattr(loaded, name), f"{module}.{name}")]
    return lines


def _entry(value: Any, path: str) -> list[str]:
    if inspect.isclass(value) and value.__module__.startswith("harness"):
        return [f".. autoclass:: {path}", "   :members:"]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}"]
    return [f".. py:data:: {path}"]  # a constant or an alias: its value's docstring is not its own


def fill_in_exports(_: Any, page: str, source: list[str]) -> None:
    """Replace each `{{ exports: MODULE }}` of the page "Python API" with the documentation of that module."""
    if page != "api":
        return
    missing = [module for module in PUBLIC if f"{{{{ exports: {module} }}}}" not in source[0]]
    if missing:
        raise ValueError(f"docs/api.md documents no {', '.join(missing)}")
    source[0] = re.sub(r"\{\{ exports: (\S+) \}\}", lambda found: _directive(found[1]), source[0])


def _directive(module: str) -> str:
    module = PENDING.get(module, module)
    return "\n".join(["```{eval-rst}", *exports(module), "```"]) if module else ""


def literal_backticks(_: Any, what: str, name: str, held: Any, options: Any, lines: list[str]) -> None:
    """Turn the `single` backticks of docstrings into ``double`` ones: code, never a reference or emphasis."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def setup(app: Any) -> None:
    """Connect the two hooks above."""
    app.connect("source-read", fill_in_exports)
    app.connect("autodoc-process-docstring", literal_backticks, priority=400)  # before napoleon's 500
