"""The schema of a study's [train] table: how a model is trained, whatever it is. Free of torch.

Where it runs (device, threads) is no part of it: that stands in harness.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.config.strict import Strict

Augmentation = Literal["flip", "flip_vertical", "shift", "rotate", "scale", "shear", "noise"]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Momentum, Momentum], Field(strict=False)]
"""Decay of the two moments; TOML has lists only, so that a list is taken for the tuple."""


NO_COPIES = "`tta` changes single images, and these samples have several instances: set `tta = 0`"
"""What is said where `tta` is asked for of bags, views or features: by the plan, and by the loader."""

COLLECTIONS: Mapping[str, Mapping[int, tuple[list[float], list[float]]]] = {
    "imagenet": {1: ([0.449], [0.226]), 3: ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])},
    "mnist": {1: ([0.1307], [0.3081])},
}
"""Mean and deviation in [0, 1] of each channel, by how many there are; ImageNet's of grey images is over colours."""


def uncollected(normalise: str, channels: int) -> str:
    """What is said where a collection knows no images of so many channels, by the plan and by the loader; else ""."""
    if normalise not in COLLECTIONS or channels in COLLECTIONS[normalise]:
        return ""
    allowed = " or ".join(map(str, COLLECTIONS[normalise]))
    return f'normalise = "{normalise}" is for images of {allowed} channels, and these have {channels}: set "image"'


class Adam(Strict):
    """Adam with weight decay added to the gradient, as the papers use it."""

    use: Literal["adam"] = "adam"
    betas: Betas = (0.9, 0.999)


class AdamW(Strict):
    """Adam, weight decay apart from the gradient."""

    use: Literal["adamw"] = "adamw"
    betas: Betas = (0.9, 0.999)


class Sgd(Strict):
    """Stochastic gradient descent with momentum."""

    use: Literal["sgd"] = "sgd"
    momentum: Momentum = 0.9
    nesterov: bool = False


class Constant(Strict):
    """The learning rate stays as it is."""

    use: Literal["constant"] = "constant"


class Cosine(Strict):
    """Half a cosine from `lr` down to `floor * lr`, after a linear rise over the first `warmup` of all steps."""

    use: Literal["cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0


class OneCycle(Strict):
    """Up from `lr / start` to `lr` in the first `rise` of all steps, then down close to nothing."""

    use: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start: Annotated[float, Field(ge=1)] = 25.0


class Step(Strict):
    """Times `factor` after every `every` epochs."""

    use: Literal["step"] = "step"
    every: Annotated[int, Field(ge=1)] = 20
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1


class EarlyStop(Strict):
    """Ends a trial whose smoothed objective has not risen for `patience` epochs, `min_epochs` at the earliest."""

    patience: Annotated[int, Field(ge=1)] = 10
    min_epochs: Annotated[int, Field(ge=1)] = 1


class TrainSettings(Strict):
    """How a model is trained.

    Args:
        epochs: passes over the training images, all phases of a model together.
        batch_size: images a step.
        lr: the highest learning rate of the schedule.
        weight_decay: as the optimiser takes it.
        optimiser: adam, adamw or sgd.
        schedule: how the learning rate runs over the steps of a phase.
        augment: random changes of training images, applied in this order.
        tta: how many randomly changed copies of an image its scores are the mean of, changed as `augment` says, in
            the tables of a confirmed model (validation, where thresholds are fitted, and test); 0 scores the image
            as it is. Validation after each epoch, and all maps, are of the images as they are.
        balance: "sampler" draws rare positives more often, "weights" raises their loss.
        amp: autocast of the forward pass; losses stay in fp32. "auto" is bf16 where the device multiplies it faster
            than fp32, and off elsewhere: a CPU without AVX-512 BF16 emulates it, ten times slower.
        clip: upper bound of the gradient's norm.
        early_stop: the trial's own rule to end early; it then counts as complete.
        normalise: "image" gives each image zero mean and unit deviation (floor 1e-5), "unit" leaves
            [0, 1], "imagenet" and "mnist" (grey images) take the mean and deviation of that collection.
        channels_last: memory format of images and convolutions.
        shuffle_labels: deals the training images' labels out anew at random: a floor, which has nothing to learn.
    """

    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 16
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    optimiser: Annotated[Adam | AdamW | Sgd, Field(discriminator="use")] = Adam()
    schedule: Annotated[Constant | Cosine | OneCycle | Step, Field(discriminator="use")] = Constant()
    augment: Annotated[tuple[Augmentation, ...], Field(strict=False)] = ()
    tta: Annotated[int, Field(ge=0)] = 0
    balance: Literal["none", "sampler", "weights"] = "none"
    amp: Literal["auto", "off", "bf16", "fp16"] = "off"
    clip: Annotated[float, Field(gt=0)] | None = None
    early_stop: EarlyStop | None = None
    normalise: Literal["image", "unit", "imagenet", "mnist"] = "image"
    channels_last: bool = True
    shuffle_labels: bool = False

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> TrainSettings:
        """The settings of a resolved tree's `train` table."""
        return cls.model_validate(dict(table))

    @field_validator("augment")
    @classmethod
    def _each_once(cls, names: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return names

    @model_validator(mode="after")
    def _something_to_change(self) -> TrainSettings:
        if self.tta and not self.augment:
            raise ValueError(f"tta = {self.tta} changes test images as `augment` says, which names no change")
        return self
