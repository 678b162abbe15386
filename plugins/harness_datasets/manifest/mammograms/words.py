"""Sides, views and flips as tables write them."""

from __future__ import annotations

from typing import Literal

Side = Literal["L", "R", ""]
View = Literal["CC", "MLO", ""]
_SIDES: dict[str, Side] = {"": "", "l": "L", "left": "L", "r": "R", "right": "R"}
_VIEWS: dict[str, View] = {"": "", "cc": "CC", "mlo": "MLO"}
_FLIPPED = {"yes": True, "true": True, "1": True, "1.0": True, "no": False, "false": False, "0": False, "0.0": False}


def side_of(text: str) -> Side:
    """Return L or R as tables write them.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in _SIDES:
        raise ValueError(f"L or R expected, but got {text!r}")
    return _SIDES[text.lower()]


def view_of(text: str) -> View:
    """Return CC or MLO as tables write them.

    Raises:
        ValueError: it is neither.
    """
    if text.lower() not in _VIEWS:
        raise ValueError(f"CC or MLO expected, but got {text!r}")
    return _VIEWS[text.lower()]


def flipped_of(text: str) -> bool:
    """Return YES or NO, as exam lists write them, as a truth value; as a text even "NO" would be true.

    Raises:
        ValueError: it is neither; an empty cell does not say that an image was not flipped.
    """
    if text.lower() not in _FLIPPED:
        raise ValueError(f"YES or NO (1 or 0) expected, but got {text!r}")
    return _FLIPPED[text.lower()]
