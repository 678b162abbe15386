"""The base of every table that a user writes; by itself, as the command line need not build the schema of [train]."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable, no unknown keys, no conversions: 3.7 is no int, "3" is no number, nan and inf are none."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
