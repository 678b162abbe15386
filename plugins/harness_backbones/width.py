"""The check that backbones with a width share. Free of torch."""

from __future__ import annotations


def check_width(width: int) -> None:
    """Refuse a network without channels.

    Raises:
        ValueError: `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"`width >= 1` must hold, but got {width=}.")
