"""The schema of a study's [train] table. Free of torch: the plan validates with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Augmentation = Literal["flip", "flip_vertical", "shift", "rotate", "scale", "noise"]
Balance = Literal["none", "sampler", "weights"]
Amp = Literal["off", "bf16", "fp16"]
Normalise = Literal["image", "unit", "imagenet"]
_Betas = Annotated[tuple[float, float], Field(strict=False)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Adam(_Table):
    """Adam with L2 decay added to the gradient, as the papers use it."""

    use: Literal["adam"] = "adam"
    betas: _Betas = (0.9, 0.999)


class AdamW(_Table):
    """Adam with decoupled decay."""

    use: Literal["adamw"] = "adamw"
    betas: _Betas = (0.9, 0.999)


class Sgd(_Table):
    """Stochastic gradient descent."""

    use: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False


class Constant(_Table):
    """The same learning rate throughout."""

    use: Literal["constant"] = "constant"


class Cosine(_Table):
    """Falls to `lr * floor` along half a cosine, after a linear rise over `warmup` of all steps."""

    use: Literal["cosine"] = "cosine"
    warmup: float = Field(0.0, ge=0, lt=1)
    floor: float = Field(0.0, ge=0, le=1)


class OneCycle(_Table):
    """Rises from `lr / start` to `lr` over `rise` of all steps, then falls close to nothing."""

    use: Literal["one_cycle"] = "one_cycle"
    rise: float = Field(0.3, gt=0, lt=1)
    start: float = Field(25.0, gt=0)


class Step(_Table):
    """Multiplied by `factor` after every `every` epochs."""

    use: Literal["step"] = "step"
    every: int = Field(20, ge=1)
    factor: float = Field(0.1, gt=0, le=1)


class EarlyStop(_Table):
    """Ends a phase when the smoothed objective has not risen for `patience` epochs."""

    patience: int = Field(10, ge=1)
    min_epochs: int = Field(1, ge=1)


class TrainSettings(_Table):
    """How a model is trained; the same for every variant unless the study says otherwise."""

    epochs: int = Field(10, ge=1)
    batch_size: int = Field(16, ge=1)
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    optimiser: Annotated[Adam | AdamW | Sgd, Field(discriminator="use")] = Adam()
    schedule: Annotated[Constant | Cosine | OneCycle | Step, Field(discriminator="use")] = Constant()
    augment: Annotated[tuple[Augmentation, ...], Field(strict=False)] = ()
    balance: Balance = "none"
    amp: Amp = "off"
    clip: float | None = Field(None, gt=0)
    early_stop: EarlyStop | None = None
    normalise: Normalise = "image"
    channels_last: bool = False

    @classmethod
    def of(cls, table: Any) -> TrainSettings:
        """The settings of a resolved tree's `train` table."""
        return cls.model_validate(dict(table))
