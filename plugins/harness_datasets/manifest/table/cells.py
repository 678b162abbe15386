"""What the cell of a table says: its text, its number, and whether it is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

WORDS = frozenset({"na", "n/a", "nan", "none", "null"})
"""Texts, in lower case, of which nobody knows whether they are missing values or names."""
_SHEET_ERROR = "#N/A"
"""What spreadsheets write where a value is not available; never a name."""


def text_of(cell: Any) -> str:
    """Return the cell as text without spaces around it; "" for None, numeric NaN and #N/A.

    A whole number that is stored as a float, as pandas does in a column with gaps, reads as a whole number.
    """
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    return "" if text == _SHEET_ERROR else text


def number_of(cell: Any) -> float | int | None:
    """Return the cell as a number, or None if it does not read as one."""
    if isinstance(cell, int | float):
        return None if math.isnan(cell) else cell
    text = text_of(cell)
    if "_" in text:  # 1_2 is a name; Python's own literals would make it 12
        return None
    for convert in (int, float):
        try:
            found = convert(text)
        except ValueError:
            continue
        return None if math.isnan(found) else found
    return None


def ambiguous(text: str) -> bool:
    """Return whether the text may be a missing value or a name: NA, N/A, None, null or nan, in any case."""
    return text.lower() in WORDS


def whole_numbers(texts: Iterable[str]) -> bool:
    """Return whether a column was made of whole numbers and became floats: what has a point ends in .0."""
    pointed = [text for text in texts if "." in text]
    return bool(pointed) and all(re.fullmatch(r"-?\d+\.0", text) for text in pointed)
