"""The torch side of the contract: batch, backbone, pooling, model, explainer.

Axes everywhere: b image, n instance, d feature, k class, c channel, h w pixels, i j cells.
Subclass these classes. A subclass is final; wrap it to vary it.
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from harness.contract.errors import ContractError, blamed, origin_of
from harness.contract.grids import Grid, measure, place, trace

_GRIDS: weakref.WeakKeyDictionary[nn.Module, dict[tuple[int, ...], Grid]] = weakref.WeakKeyDictionary()
"""What backbones found by images' shapes; it is no state of theirs."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Masks of a batch, given only to stages that may read them.

    Args:
        masks: 1 inside a lesion of the class; for layer maps the grey level, 0 to 255.
        known: True if the mask of (image, class) is known; an empty mask of a positive image is unknown.
    """

    masks: Float[Tensor, "b k h w"]
    known: Bool[Tensor, "b k"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The input of a model.

    Args:
        images: normalised as the study sets. For bags "b n c h w", padded with 0 to the longest of the batch; for
            views in the order of `task.views`, 0 for a missing view.
        features: vectors of feature tables, in place of images; unchanged, padded with 0.
        mask: True for real instances, False for padding; None for single images.
        coords: coordinates of each instance, if the data set has them.
        labels: 1, 0, or NaN if unknown; outside training all NaN for `forward` and explainers.
        targets: masks; in training only with "train_masks", outside training never for `forward` and explainers.
        weights: weight of each label in the loss, mean 1 over the training images; set with
            `balance = "weights"`. Pass it on: `masked_bce(out.logits, batch.labels, weights=batch.weights)`.
            A model that ignores it is refused with that setting.
        ids: a digest of each sample's id, the same in every epoch and on every machine.
        groups: a digest of each sample's group.
    """

    labels: Float[Tensor, "b k"]
    images: Float[Tensor, "b c h w"] | Float[Tensor, "b n c h w"] | None = None
    features: Float[Tensor, "b n d"] | None = None
    mask: Bool[Tensor, "b n"] | None = None
    coords: Float[Tensor, "b n 2"] | None = None
    targets: Targets | None = None
    weights: Float[Tensor, "b k"] | None = None
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def only(self, place: int) -> Batch:
        """Return a batch of one of its images, without masks."""
        rows: dict[str, Any] = {"targets": None}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor | tuple) and len(value):
                rows[item.name] = value[place : place + 1]
        return replace(self, **rows)

    def encoded(self, encode: Callable[[Tensor], Tensor]) -> Float[Tensor, "b n d"]:
        """Return the instances as vectors: the features, or `encode` of the real images; 0 in the padding.

        An encoder with batch norm therefore never sees the padding.

        Args:
            encode: images "m c h w" to vectors "m d".

        Raises:
            ValueError: the batch holds single images.
        """
        if self.features is not None:
            return self.features
        if self.images is None or self.mask is None:
            raise ValueError("a batch of single images has no instances.")
        real = self.mask.flatten().nonzero().squeeze(1)
        vectors = encode(self.images.flatten(0, 1)[real])
        padded = vectors.new_zeros(self.mask.numel(), vectors.shape[1])
        return padded.index_copy(0, real, vectors).view(*self.mask.shape, vectors.shape[1])

    def with_images(self, images: Float[Tensor, n * shape]) -> Batch:
        """Return the same cases with other images, without masks.

        The number of images is that of the batch; a batch of one takes any number.

        Raises:
            ValueError: the number of images is another.
        """
        if len(images) == len(self.labels):
            return replace(self, images=images, targets=None)
        if len(self.labels) != 1:
            raise ValueError(f"{len(images)} images do not belong to a batch of {len(self.labels)}.")
        many: dict[str, Any] = {"images": images, "targets": None}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != "images" and isinstance(value, Tensor):
                many[item.name] = value.expand(len(images), *value.shape[1:])
            elif isinstance(value, tuple):
                many[item.name] = value * len(images)
        return replace(self, **many)


class Backbone(nn.Module, ABC):
    """A feature extractor: `forward(images "b c h w") -> "b d i j"` with i = ceil(h / stride) or floor(h / stride).

    You must set `features` (d) and `stride`, and write `forward`. You may write `stages`
    if the component provides "stages", and `grid` if you know better where the cells look.
    """

    features: int
    stride: int
    lean: tuple[float, float] = (0.0, 0.0)
    """Pixels down and right from the centres that the layers give to those at which trained weights look."""

    def __init_subclass__(cls, **settings: Any) -> None:
        """Check what `forward` returns."""
        super().__init_subclass__(**settings)
        _at_the_seam(cls)

    @abstractmethod
    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Return the last feature map."""

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Return feature maps from fine to coarse, each "b d i j"."""
        raise TypeError(f"{type(self).__name__} does not provide stages.")

    def grid(self, images: Float[Tensor, "b c h w"]) -> Grid:
        """Return where the cells of the last feature map look in images of this size.

        The layers give it, through strides, kernels and paddings, and `lean` is added. Where a layer has no rule,
        the gradients of cells in noise give it, to a quarter of the stride.
        """
        known, shape = _GRIDS.setdefault(self, {}), tuple(images.shape[1:])
        if shape not in known:
            known[shape] = self._ruled(images) or self._measured(images)
        found = known[shape]
        return Grid((found.offset[0] + self.lean[0], found.offset[1] + self.lean[1]), found.stride)

    def measure_lean(self, channels: int) -> None:
        """Set `lean` to what the present weights show; call it once weights are loaded, before any training.

        Weights that were trained with one-sided padding make up for a part of it.
        """
        side = max(64, 8 * self.stride)
        images = torch.zeros(1, channels, side, side, device=next(self.parameters()).device)
        if (ruled := self._ruled(images)) is not None:
            found = measure(self, images, ruled)
            down, right = (round(one - other, 1) for one, other in zip(found.offset, ruled.offset, strict=True))
            self.lean = down, right

    def _ruled(self, images: Tensor) -> Grid | None:
        found = trace(self, images)
        return found.grid if found and set(found.grid.stride) == {self.stride} else None

    def _measured(self, images: Tensor) -> Grid:
        middle, step = (self.stride - 1) / 2, self.stride / 4
        found = measure(self, images, Grid((middle, middle), (float(self.stride), float(self.stride))))
        down, right = (step * round((value - middle) / step) + middle for value in found.offset)
        return Grid((down, right), found.stride)

    def _check_output(self, images: Tensor, out: Any) -> None:
        law = "maps_have_the_size_that_stride_and_features_promise"
        # Without padding a network gives fewer cells.
        ranges = [(size // self.stride - 1, -(-size // self.stride)) for size in images.shape[2:]]
        fits = isinstance(out, Tensor) and out.is_floating_point() and out.ndim == 4
        fits = fits and out.shape[:2] == (len(images), self.features)
        if not fits or any(not low <= size <= high for size, (low, high) in zip(out.shape[2:], ranges, strict=True)):
            sizes = (len(images), self.features, *(high for _, high in ranges))
            raise ContractError(origin_of(self), f"the feature map {shape_of(out)}", f"float {sizes}", law)


@dataclass(frozen=True)
class Pooled:
    """The output of a pooling: the value, and the weights if it has any.

    Args:
        value: features with the instance axis reduced.
        weights: a distribution over n, one for all features or one per feature.
    """

    value: Float[Tensor, "b d"]
    weights: Float[Tensor, "b n w"] | None = None


class Pooling(nn.Module, ABC):
    """A reduction of the instance axis, of features or class scores alike.

    Built as `build(features, outputs)`: `features` is the width of the input of attention
    (`key` if it is given, else `x`), `outputs` the number of weight maps (1, or d).
    """

    def __init_subclass__(cls, **settings: Any) -> None:
        """Check what `forward` returns."""
        super().__init_subclass__(**settings)
        _at_the_seam(cls)

    @abstractmethod
    def forward(
        self,
        x: Float[Tensor, "b n d"],
        key: Float[Tensor, "b n e"] | None = None,
        mask: Bool[Tensor, "b n"] | None = None,
    ) -> Pooled:
        """Pool `x` over its unmasked instances."""

    def _check_output(self, x: Tensor, out: Any) -> None:
        law = "class_scores_are_pooled_by_their_features"
        if not isinstance(out, Pooled):
            raise ContractError(origin_of(self), shape_of(out), "a Pooled", law)
        wanted = (x.shape[0], x.shape[2])
        if not isinstance(out.value, Tensor) or not out.value.is_floating_point() or out.value.shape != wanted:
            raise ContractError(origin_of(self), f"the value {shape_of(out.value)}", f"float {wanted}", law)
        weights = out.weights
        fits = isinstance(weights, Tensor) and weights.ndim == 3 and weights.shape[:2] == x.shape[:2]
        if weights is not None and not fits:
            many = f"({x.shape[0]}, {x.shape[1]}, 1 or {x.shape[2]})"
            law = "weights_are_a_distribution"
            raise ContractError(origin_of(self), f"the weights {shape_of(weights)}", many, law)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Everything that a model computed; nothing is kept on the model.

    Args:
        probs: scores for metrics: the output of the link, in [0, 1].
        logits: values before the link, if there are any; losses prefer them.
        heads: further scores of the same model by name (global, local, mean, …), each like `probs`. In eval mode all
            are present from the first epoch on, because an objective may name one.
        saliency: one saliency map per class, in [0, 1].
        grid: where the cells of `saliency` look, from `Model.grid`; the harness sets it. None draws them evenly.
        parts: further values for display or the loss. By convention "attention", "b n w", of models over
            instances holds w distributions over the real instances, 0 elsewhere.
    """

    probs: Float[Tensor, "b k"]
    logits: Float[Tensor, "b k"] | None = None
    heads: Mapping[str, Float[Tensor, "b k"]] = field(default_factory=dict)
    saliency: Float[Tensor, "b k i j"] | None = None
    grid: Grid | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)


def drawn(out: Output, batch: Batch) -> Float[Tensor, "b k y x"]:
    """Return the saliency map so that it may be drawn evenly over the image: each cell where `out.grid` says.

    Raises:
        ValueError: the output has no saliency.
    """
    if out.saliency is None:
        raise ValueError("an output without saliency has no map to draw.")
    if out.grid is None or batch.images is None:
        return out.saliency
    return place(out.saliency, out.grid, (batch.images.shape[-2], batch.images.shape[-1]))


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of training with its own trainable parameters.

    Args:
        name: unique among the model's phases.
        trainable: prefixes (whole dotted parts) of the names of trainable parameters; ("",) is every parameter.
        eval_mode: prefixes of the names of modules that stay in eval mode, including batch norm.
        epochs: number of epochs; None takes an equal share of the study's epochs that other phases leave.
        select_by: metric whose best epoch is kept when the phase ends, `val/<head>/<metric>`; None is the
            objective. It is computed even if the study does not name it.
        mode: "max" if the highest `select_by` is best, "min" if the lowest, independent of the objective.
    """

    name: str = "train"
    trainable: tuple[str, ...] = ("",)
    eval_mode: tuple[str, ...] = ()
    epochs: int | None = None
    select_by: str | None = None
    mode: Literal["max", "min"] = "max"


class Model(nn.Module, ABC):
    """An architecture: from a batch to scores and saliency, with its own losses.

    You must write `forward` and `losses`. You may write `phases`, `begin_epoch`, `explain_layer`, `grid`.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Compute the output of a batch."""

    @abstractmethod
    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return scalar losses by name; the training loop sums and logs them.

        Called in fp32 outside autocast. Unknown labels (NaN) must not count.
        """

    def phases(self) -> tuple[Phase, ...]:
        """Return the phases of training; by default one phase over every parameter."""
        return (Phase(),)

    def begin_epoch(self, predict: Callable[[], Iterable[tuple[Batch, Output]]]) -> None:
        """Prepare the next epoch, for models that reselect data; `predict` runs over the training split."""

    def explain_layer(self) -> nn.Module:
        """Return the layer that class-activation methods explain."""
        raise TypeError(f"{type(self).__name__} names no layer to explain.")

    def grid(self, batch: Batch) -> Grid | None:
        """Return where the cells of the saliency map and of `explain_layer` look in the batch's images.

        Usually `self.backbone.grid(batch.images)`. None, the default, draws the cells evenly over the image.
        """
        return None


class Explainer(ABC):
    """A method that maps which pixels a model's score depends on."""

    @abstractmethod
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Float[Tensor, "b h w"]:
        """Return one map in [0, 1] at image size for `classes[i]` of image i; the model stays unchanged.

        Raises:
            TypeError: it does not explain models of this kind.
            Exception: the map cannot be made. Both messages name the explainer and the cause; its maps are left out.
        """


def shape_of(value: Any) -> str:
    """Return type and shape of a value, for errors."""
    return (
        f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
    )


def _at_the_seam(cls: type) -> None:
    """Let the `forward` of a class check its result, and mark its errors; no hooks, and nothing when compiled."""
    forward = vars(cls).get("forward")
    if forward is None:
        return

    @wraps(forward)
    def checked(self: Backbone | Pooling, *args: Any, **kwargs: Any) -> Any:
        built = "harness_origin" in vars(self)  # while it is built, a part may try itself
        if torch.compiler.is_compiling() or not built or type(self).forward is not checked:  # or a subclass calls
            return forward(self, *args, **kwargs)
        with blamed(self):
            out = forward(self, *args, **kwargs)
        self._check_output(args[0] if args else next(iter(kwargs.values())), out)
        return out

    cls.forward = checked  # type: ignore[attr-defined]


def outside_autocast(layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Call `layer` in fp32 outside autocast, for scores that rank images, patches or cells.

    In bf16 a score has eight significant bits. Tied scores would then affect AUC, selection and crops.
    """
    with torch.autocast(inputs[0].device.type, enabled=False):
        return layer(*(values.float() for values in inputs))


def masked_bce(
    probs_or_logits: Float[Tensor, "b k"],
    labels: Float[Tensor, "b k"],
    *,
    link: Literal["probs", "logits"] = "probs",
    weights: Float[Tensor, "b k"] | None = None,
    eps: float = 1e-6,
) -> Float[Tensor, ""]:
    """Compute binary cross-entropy, summed over classes and averaged over images, without unknown labels.

    Probabilities are clamped to [eps, 1 - eps]. `weights` are those of the batch, one per label.
    """
    known = ~labels.isnan()
    counted = known.float() if weights is None else known * weights
    target, values = labels.nan_to_num(0.0), probs_or_logits.float()
    if link == "logits":
        loss = functional.binary_cross_entropy_with_logits(values, target, counted, reduction="sum")
    else:  # by its formula: torch's own raises at a NaN, and on a GPU the process cannot continue after that
        clamped = values.clamp(eps, 1 - eps)
        loss = -(counted * (target * clamped.log() + (1 - target) * (1 - clamped).log())).sum()
    return loss / max(1, labels.shape[0])


def masked_cross_entropy(
    logits: Float[Tensor, "b k"], labels: Float[Tensor, "b k"], *, weights: Float[Tensor, "b k"] | None = None
) -> Float[Tensor, ""]:
    """Compute cross-entropy over exclusive classes, averaged over images, without images with an unknown label.

    `labels` are one-hot. `weights` are those of the batch, one per label.
    """
    known = ~labels.isnan().any(1)
    loss = -labels.nan_to_num(0.0) * logits.float().log_softmax(1)
    if weights is not None:
        loss = loss * weights
    return (loss.sum(1) * known).sum() / max(1, labels.shape[0])
