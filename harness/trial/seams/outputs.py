"""What an architecture and an explainer give back: form by the host, values by two reductions on the device.

The numbers of `extremes` are read together with the losses of a step, so that a check waits for no device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.contract.errors import ContractError, NotFiniteError, blamed, origin_of
from harness.contract.nn import Batch, Explainer, Model, Output, shape_of
from harness.trial.guards.calls import guarded
from harness.trial.seams.blind import unlabelled

SLACK = 1e-2
"""Largest distance from [0, 1] that rounding in bf16 explains."""
RANGE_LAW = "scores_and_saliency_lie_between_0_and_1"
LOSS_LAW = "losses_are_finite_scalars_in_single_precision"
MAP_LAW = "a_map_is_in_range_at_the_images_size"


def forward(model: Model, batch: Batch) -> Output:
    """Return the output of a model, whose type and shapes are checked.

    Raises:
        ContractError: it is no Output, or a part of it has another type or shape.
    """
    with blamed(model), guarded(model):
        out: Output = model(batch)
    check_form(model, batch, out)
    return out


def check_form(model: Model, batch: Batch, out: Any) -> None:
    """Check types and shapes of an output.

    Raises:
        ContractError: it is no Output, or a part of it has another type or shape.
    """
    origin = origin_of(model)
    if not isinstance(out, Output):
        raise ContractError(origin, shape_of(out), "an Output")
    if not isinstance(out.heads, Mapping):
        raise ContractError(origin, f"the heads {out.heads!r}", "a dict of scores", RANGE_LAW)
    count, classes = batch.labels.shape
    scores = {"probs": out.probs, **({} if out.logits is None else {"logits": out.logits}), **out.heads}
    for name, value in scores.items():
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.shape != (count, classes):
            raise ContractError(origin, f"{name} {shape_of(value)}", f"float {(count, classes)}", RANGE_LAW)
    maps = out.saliency
    if maps is not None and not (
        _is_float(maps) and maps.ndim == 4 and maps.shape[:2] == (count, classes) and maps.numel() > 0
    ):
        raise ContractError(origin, f"saliency {shape_of(maps)}", f"float ({count}, {classes}, i, j)", RANGE_LAW)


def losses(model: Model, out: Output, batch: Batch) -> Mapping[str, Tensor]:
    """Return the losses of a model, one scalar by name.

    Raises:
        ContractError: there are none, or one is no scalar.
    """
    with blamed(model), guarded(model):
        found = model.losses(out, batch)
    check_losses(model, found)
    return found


def check_losses(model: Model, found: Any) -> None:
    """Check type and shape of losses.

    Raises:
        ContractError: there are none, or one is no scalar.
    """
    origin = origin_of(model)
    if not isinstance(found, Mapping) or not found:
        raise ContractError(origin, f"the losses {found!r}", "a dict of one or more scalars", LOSS_LAW)
    for name, loss in found.items():
        if not _is_float(loss) or loss.ndim:
            raise ContractError(origin, f"the loss {name} {shape_of(loss)}", "a float scalar", LOSS_LAW)


@torch.no_grad()
def extremes(out: Output) -> Tensor:
    """Return the lowest and the highest of all scores, then of the saliency if there is any, on the device; "2" or "4".

    NaN if one of them is.
    """
    scores = {id(value): value.flatten().float() for value in (out.probs, *out.heads.values())}
    parts = [*scores.values()]
    values = [*(torch.cat(parts) if len(parts) > 1 else parts[0]).aminmax()]
    if out.saliency is not None:
        values += [value.float() for value in out.saliency.aminmax()]
    return torch.stack(values)


def check_range(model: Model, out: Output, found: Sequence[float]) -> None:
    """Check the numbers of `extremes` on the host.

    Raises:
        NotFiniteError: a score or a map is NaN or infinite.
        ContractError: one is outside [0, 1].
    """
    if all(-SLACK <= value <= 1 + SLACK for value in found):
        return
    origin = origin_of(model)
    for name, value in {"probs": out.probs, **out.heads, "saliency": out.saliency}.items():
        if value is None:
            continue
        low, high = (float(item) for item in value.detach().aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise NotFiniteError(origin, f"the output {name}", RANGE_LAW)
        if low < -SLACK or high > 1 + SLACK:
            raise ContractError(origin, f"{name} from {low:.3g} to {high:.3g}", "values in [0, 1]", RANGE_LAW)


def explained(explainer: Explainer, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
    """Return the maps of an explainer, "b h w", which sees neither labels nor masks.

    Raises:
        ContractError: they have another type or shape, are not finite, or lie outside [0, 1].
    """
    origin, images = origin_of(explainer), batch.images
    assert images is not None
    with blamed(explainer), guarded(explainer):
        maps: Any = explainer.explain(model, unlabelled(batch), classes)
    wanted = (len(images), *images.shape[2:])
    if not _is_float(maps) or maps.shape != wanted:
        raise ContractError(origin, f"maps {shape_of(maps)}", f"float {wanted}", MAP_LAW)
    low, high = torch.stack(maps.detach().float().aminmax()).tolist() if maps.numel() else (0.0, 0.0)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NotFiniteError(origin, "a map", MAP_LAW)
    if low < -SLACK or high > 1 + SLACK:
        raise ContractError(origin, f"maps from {low:.3g} to {high:.3g}", "values in [0, 1]", MAP_LAW)
    found: Tensor = maps.detach()
    return found


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
