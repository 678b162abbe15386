"""The names of timm's models, read from its source files, because importing timm takes seconds.

Knows what timm itself registers, and the older names it still answers to.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path

from harness import nearest

_REGISTERED = re.compile(rb"^@register_model\s+def (\w+)\(", re.MULTILINE)


@lru_cache(256)
def check_name(model: str) -> None:
    """Check that timm has a model of this name, with or without a tag behind a dot.

    Raises:
        ValueError: it has none; names the nearest. Where timm is not installed nothing is raised: building will.
    """
    name, sources = model.split(".")[0], _sources()
    if not sources or any(f"\ndef {name}(".encode() in text for text in sources):
        return
    if any(f"'{name}'".encode() in text for text in sources):  # tables of older names
        return
    known = [found.decode() for text in sources for found in _REGISTERED.findall(text)]
    raise ValueError(f"timm has no model named {model!r}{nearest(name, known)}")


@lru_cache(1)
def _sources() -> tuple[bytes, ...]:
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return ()
    return tuple(path.read_bytes() for path in sorted((Path(spec.origin).parent / "models").glob("*.py")))
