"""The type of a numpy array, for modules whose docstrings give the axes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""Any numpy array; the docstring gives its axes."""
