"""The type of a numpy array, and the mean of the values that are defined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""Any numpy array; the docstring gives its axes."""


def read_only(values: Array) -> Array:
    """Return a view of an array that cannot be written to, so that its reader cannot change what others read."""
    view = values.view()
    view.flags.writeable = False
    return view


def ratio(part: Array | float, whole: Array | float, otherwise: float = math.nan) -> Array:
    """Return part / whole; `otherwise` where the whole is not above 0."""
    found: Array = np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=np.asarray(whole) > 0)
    return found


def mean_defined(values: Sequence[float] | Array) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    array = np.asarray(values, dtype=np.float64)
    known = array[~np.isnan(array)]
    return float(known.mean()) if known.size else math.nan
