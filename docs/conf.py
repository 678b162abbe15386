"""Configuration of the documentation site: Sphinx, MyST Markdown, furo. `make docs` builds it, without a network."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.metadata import version as version_of
from typing import Any

PUBLIC = ("harness", "harness.nn", "harness.metrics.functional", "harness.testing")
"""The modules that the page "Python API" documents: every name in their `__all__`."""

KINDS = (".. autofunction", ".. autoclass", ".. autoexception", ".. py:data")

project = "harness"
author = "the harness authors"
version = release = version_of("mil-harness")
html_title = f"harness {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_show_copyright = False
exclude_patterns = ["_build"]
# Annotations name classes of torch, NumPy and jaxtyping, which this site does not document.
nitpick_ignore_regex = [("py:.*", ".*")]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "both"
autodoc_typehints_description_target = "documented"
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False


def exports(module: str) -> list[str]:
    """Return the reStructuredText lines that document each public name of a module, in the order of `KINDS`."""
    loaded = importlib.import_module(module)
    entries = [_entry(getattr(loaded, name), f"{module}.{name}") for name in sorted(loaded.__all__, key=str.lower)]
    return [line for kind in KINDS for entry in entries if entry[0].startswith(kind) for line in ["", *entry]]


def _entry(value: Any, path: str) -> list[str]:
    if inspect.isclass(value) and value.__module__.startswith("harness"):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return [f".. auto{kind}:: {path}", "   :members:"]
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
    return "\n".join(["```{eval-rst}", *exports(module), "```"])


def literal_backticks(_: Any, what: str, name: str, held: Any, options: Any, lines: list[str]) -> None:
    """Turn the `single` backticks of docstrings into ``double`` ones: code, never a reference or emphasis."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def no_class_signature(_: Any, what: str, *rest: Any) -> tuple[str, None] | None:
    """Leave the signature of classes out: their parameters are listed below with types, and defaults print badly."""
    return ("", None) if what == "class" else None


def setup(app: Any) -> None:
    """Connect the hooks above."""
    app.connect("source-read", fill_in_exports)
    app.connect("autodoc-process-signature", no_class_signature, priority=900)  # after types were recorded
    app.connect("autodoc-process-docstring", literal_backticks, priority=400)  # before napoleon's 500
