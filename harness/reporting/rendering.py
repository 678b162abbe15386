"""The rendering of sections as HTML and as Markdown, with the same content."""

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
    """Return one HTML page with embedded style and pictures."""
    return _environment().get_template("report.html.j2").render(plan=material.plan, sections=sections)


def to_markdown(material: Material, sections: Sequence[Section]) -> str:
    """Return the same content in Markdown, with links to the files of the pictures."""
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
    """Return the text with the parts in backquotes as code."""
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
    """Return the text without square brackets, which would end it in Markdown."""
    return text.replace("[", "(").replace("]", ")")


def _size(picture: Picture) -> Markup:
    """Return width and height of a chart as attributes, so that the page does not jump; "" for a panel."""
    from markupsafe import Markup

    found = re.search(
        rb'<svg[^>]*?width="([\d.]+)pt"[^>]*?height="([\d.]+)pt"|<svg[^>]*?height="([\d.]+)pt"[^>]*?width="([\d.]+)pt"',
        picture.data[:2000],
    )
    if not found:
        return Markup("")
    wide, high = (found[1], found[2]) if found[1] else (found[4], found[3])
    return Markup('width="{}" height="{}"').format(round(float(wide) * 4 / 3), round(float(high) * 4 / 3))
