"""The schema of a study's [train] table, for all architectures. Free of torch.

Device and threads are set in harness.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.config.strict import Strict
from harness.contract.components import Use

Augmentation = Literal["flip", "flip_vertical", "shift", "rotate", "scale", "shear", "noise"]
PARTS: Mapping[str, Use] = {"optimiser": Use("adam"), "schedule": Use("constant")}
"""The keys of [train] that take a component, and their defaults. The key is the component's kind."""

NO_COPIES = "`tta` changes single images, and these samples have several instances: set `tta = 0`"
"""Message of the plan and the loader for `tta` with bags, views or features."""

COLLECTIONS: Mapping[str, Mapping[int, tuple[list[float], list[float]]]] = {
    "imagenet": {1: ([0.449], [0.226]), 3: ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])},
    "mnist": {1: ([0.1307], [0.3081])},
    "tensorflow": {1: ([127 / 255], [128 / 255]), 3: ([127 / 255] * 3, [128 / 255] * 3)},
}
"""Mean and deviation in [0, 1] of each channel, by number of channels; for grey ImageNet they are over colours."""


def uncollected(normalise: str, channels: int) -> str:
    """Return the message for a collection without images of this number of channels; "" if it has them."""
    if normalise not in COLLECTIONS or channels in COLLECTIONS[normalise]:
        return ""
    allowed = " or ".join(map(str, COLLECTIONS[normalise]))
    return f'normalise = "{normalise}" is for images of {allowed} channels, and these have {channels}: set "image"'


class EarlyStop(Strict):
    """Rule that ends a trial without improvement for `patience` epochs, after `min_epochs` at the earliest."""

    patience: Annotated[int, Field(ge=1)] = 10
    min_epochs: Annotated[int, Field(ge=1)] = 1


class TrainSettings(Strict):
    """Settings of the training of a model.

    Args:
        epochs: passes over the training images, all phases of a model together; 0 scores a model as it is built,
            such as one with published weights.
        batch_size: images per step.
        lr: the highest learning rate of the schedule.
        weight_decay: argument of the optimiser.
        optimiser: a component by name, or a table with `use`; the catalog checks its parameters.
        schedule: likewise: a factor of `lr` for each step of a phase.
        augment: random changes of training images, applied in this order.
        tta: number of copies of an image, changed by `augment`, over which its scores are averaged in the tables of a
            confirmed model (test, and validation, on which thresholds are fitted); 0 scores the unchanged image.
            Validation after each epoch and all maps use unchanged images.
        balance: "sampler" draws rare positives more often, "weights" raises their loss.
        amp: autocast of the forward pass; losses stay in fp32. "auto" is bf16 if the device multiplies it faster
            than fp32, else off: a CPU without AVX-512 BF16 emulates it, ten times slower.
        clip: upper bound of the gradient's norm.
        early_stop: the trial's own rule to end early; it then counts as complete.
        normalise: "image" gives each image zero mean and unit deviation (at least 1e-5), "unit" leaves
            [0, 1], "imagenet" and "mnist" (grey images) use the mean and deviation of that collection, "tensorflow"
            gives (x - 127) / 128 for x from 0 to 255, on which the packaged EfficientNet-Lite0 was trained.
        channels_last: memory format of images and convolutions.
        shuffle_labels: permutes the labels of the training images at random: a control with nothing to learn.
    """

    epochs: Annotated[int, Field(ge=0)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 16
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    optimiser: Any = PARTS["optimiser"]
    schedule: Any = PARTS["schedule"]
    augment: Annotated[tuple[Augmentation, ...], Field(strict=False)] = ()
    tta: Annotated[int, Field(ge=0)] = 0
    balance: Literal["none", "sampler", "weights"] = "none"
    amp: Literal["auto", "off", "bf16", "fp16"] = "off"
    clip: Annotated[float, Field(gt=0)] | None = None
    early_stop: EarlyStop | None = None
    normalise: Literal["image", "unit", "imagenet", "mnist", "tensorflow"] = "image"
    channels_last: bool = True
    shuffle_labels: bool = False

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> TrainSettings:
        """Return the settings of a resolved tree's `train` table."""
        return cls.model_validate(dict(table))

    @field_validator("optimiser", "schedule")
    @classmethod
    def _by_name(cls, table: Any) -> Any:
        """Return a Use, or an invalid value unchanged: the catalog reports every mistake in it."""
        return Use.of(table) or table

    @field_validator("augment")
    @classmethod
    def _each_once(cls, names: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is given twice")
        return names

    @model_validator(mode="after")
    def _something_to_change(self) -> TrainSettings:
        if self.tta and not self.augment:
            raise ValueError(f"tta = {self.tta} changes test images by `augment`, which is empty: name a change in it")
        return self
