"""Numbers as the terminal and `--json` show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.contract.keys import RANKED

GAP, STD = f"{RANKED}_difference", f"{RANKED}_std"


def known(value: Any) -> bool:
    """Return True if the value is neither None nor NaN."""
    return value is not None and not math.isnan(value)


def three_digits(value: Any) -> str:
    """Return a value between 0 and 1 with three digits, or a dash where there is none."""
    return f"{value:.3f}" if known(value) else "-"


def short(value: float) -> str:
    """Return a spread without the leading zero."""
    return f"{value:.3f}".removeprefix("0")


def p_text(value: float) -> str:
    """Return a p-value with three digits, `<.001` below that, or a dash if it is not known."""
    if not known(value):
        return "-"
    return "<.001" if value < 0.001 else short(value)


def difference(row: Mapping[str, Any], is_baseline: bool) -> str:
    """Return a paired difference with its interval; "" for the baseline, a dash if it is not known."""
    if is_baseline or not known(row.get(GAP)):
        return "" if is_baseline else "-"
    low, high = row[f"{GAP}_low"], row[f"{GAP}_high"]
    interval = f" [{_signed(low)}, {_signed(high)}]" if known(low) and known(high) else ""
    return _signed(row[GAP]) + interval


def defined(value: Any) -> Any:
    """Return the value as JSON has it: null for NaN and infinity, which JSON lacks."""
    if isinstance(value, dict):
        return {str(key): defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)
