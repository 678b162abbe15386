"""A plugin whose hook is misspelt."""

from __future__ import annotations

from harness import hookimpl


@hookimpl
def harness_backbone() -> list[object]:
    """The hook is called `harness_backbones`."""
    return []
