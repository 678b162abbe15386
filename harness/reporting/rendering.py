"""Sections as HTML and as Markdown: what is said is the same, only the dress differs."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.reporting.material import Material
from harness.reporting.parts import Picture, Section
from harness.tables.markdown import markdown_table

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TYPES = {"svg": "image/svg+xml", "webp": "image/webp"}


def to_html(material: Material, sections: Sequence[Section]) -> str:
    """One page that holds its style and its pictures."""
    return _environment().get_template("report.html.j2").render(plan=material.plan, sections=sections)


def to_markdown(material: Material, sections: Sequence[Section]) -> str:
    """The same in Markdown; pictures are files beside it."""
    return _environment().get_template("report.md.j2").render(plan=material.plan, sections=sections)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.reporting"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": _inline,
        "data_uri": _data_uri,
        "pipes": markdown_table,
        "alt": _alt,
        "size": _size,
    }
    return environment


def _inline(text: Any) -> Markup:
    """The text with what stands in backquotes as code."""
    from markupsafe import Markup, escape

    parts = str(text).split("`")
    marked = [
        escape(part) if place % 2 == 0 else Markup("<code>{}</code>").format(part) for place, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _data_uri(picture: Picture) -> str:
    kind = _TYPES[picture.name.rpartition(".")[2]]
    return f"data:{kind};base64,{base64.b64encode(picture.data).decode()}"


def _alt(text: str) -> str:
    """Without the brackets that would end it in Markdown."""
    return text.replace("[", "(").replace("]", ")")


def _size(picture: Picture) -> Markup:
    """Width and height of a chart as attributes, so that the page does not jump; "" for a panel."""
    from markupsafe import Markup

    found = re.search(
        rb'<svg[^>]*?width="([\d.]+)pt"[^>]*?height="([\d.]+)pt"|<svg[^>]*?height="([\d.]+)pt"[^>]*?width="([\d.]+)pt"',
        picture.data[:2000],
    )
    if not found:
        return Markup("")
    wide, high = (found[1], found[2]) if found[1] else (found[4], found[3])
    return Markup('width="{}" height="{}"').format(round(float(wide) * 4 / 3), round(float(high) * 4 / 3))
