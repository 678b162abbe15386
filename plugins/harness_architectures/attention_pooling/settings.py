"""The numbers among the parameters of `attention_pooling`, checked. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Patches, how many of them are selected, and widths; the fields are parameters of `build_attention_pooling`.

    Raises:
        ValueError: one is out of range.
    """

    patch_px: int
    crop: tuple[int, int] | None
    kept: int
    highest: int
    lowest: int
    scorer_epochs: int | None
    features: int

    def __post_init__(self) -> None:
        for name, low in {"kept": 1, "highest": 1, "lowest": 0, "features": 1}.items():
            if getattr(self, name) < low:
                raise ValueError(f"`{name} >= {low}` must hold, but got {name}={getattr(self, name)}.")
        if self.scorer_epochs is not None and self.scorer_epochs < 1:
            raise ValueError(f"`scorer_epochs >= 1` must hold, but got scorer_epochs={self.scorer_epochs}.")
