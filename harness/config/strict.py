"""The base class of every table that a user writes. Separate, so that no schema is built on import."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable table without unknown keys or conversions: 3.7 is not an int, "3", nan and inf are not numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
