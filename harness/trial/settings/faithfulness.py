"""The schema of [explain.faithfulness]: tests whether maps show the pixels that a score depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from harness.config.strict import Strict
from harness.contract.errors import nearest
from harness.contract.tables import FAITHFULNESS_METHODS as METHODS

Share = Annotated[float, Field(gt=0, le=1)]


class FaithfulnessSettings(Strict):
    """Methods, test images and parameters of the tests of faithfulness.

    Args:
        use: methods: darken, zero, insertion, deletion, randomise; empty measures nothing.
        images: number of test images, chosen like those of the overlays before any model has seen them.
        thresholds: of `zero`: a pixel is important from this share of the map's maximum on.
        steps: of `insertion` and `deletion`: number of equal parts in which pixels are changed.
        layers: of `randomise`: shares of the layers, from the output on, that are initialised again.
        cover: value of a covered pixel: black of the image file, or the image's mean.
    """

    use: list[str] = Field(default_factory=list)
    images: Annotated[int, Field(ge=1)] = 32
    thresholds: Annotated[list[Share], Field(min_length=1)] = Field(default_factory=lambda: [0.5, 0.65, 0.8])
    steps: Annotated[int, Field(ge=2)] = 16
    layers: Annotated[list[Share], Field(min_length=1)] = Field(default_factory=lambda: [0.25, 0.5, 0.75, 1.0])
    cover: Literal["black", "mean"] = "black"

    @field_validator("use")
    @classmethod
    def _known(cls, use: list[str]) -> list[str]:
        for name in use:
            if name not in METHODS:
                raise ValueError(f"no measure named {name!r}{nearest(name, METHODS)} (there are: {', '.join(METHODS)})")
            if use.count(name) > 1:
                raise ValueError(f"{name!r} is given twice")
        return use

    @field_validator("thresholds", "layers")
    @classmethod
    def _each_once(cls, values: list[float]) -> list[float]:
        if len(set(values)) < len(values):
            raise ValueError(f"values must be distinct, but got {values}")
        return values

    @classmethod
    def of(cls, explain: Mapping[str, Any]) -> FaithfulnessSettings:
        """Return the settings in a study's [explain] table; without any, nothing is measured."""
        return cls(**(explain.get("faithfulness") or {}))

    @property
    def forwards(self) -> int:
        """Forward passes per image and map, without the maps of randomised models.

        A cover needs four: the rest and the important part, by the map and by the map moved to a random place.
        """
        curve = self.steps + 1
        costs = {"darken": 4, "zero": 4 * len(self.thresholds), "insertion": curve, "deletion": curve}
        return sum(costs.get(name, 0) for name in self.use)

    @property
    def maps(self) -> int:
        """Further maps per image and explainer: those of randomised models."""
        return len(self.layers) if "randomise" in self.use else 0
