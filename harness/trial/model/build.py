"""Building of a model from its table, on its device, with weights from its seed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.contract import seeds
from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Model
from harness.contract.types import UNBUILT, Task, TrialSpec
from harness.trial.guards.calls import guarded
from harness.trial.model.rng import seeded
from harness.trial.model.winograd import use_winograd
from harness.trial.settings.training import TrainSettings


class BuildError(Exception):
    """A trial that cannot run by its spec; the message is the reason."""


def build_model(spec: TrialSpec, catalog: Catalog, task: Task, settings: TrainSettings, device: torch.device) -> Model:
    """Build a model on its device, with weights from its seed.

    Raises:
        BuildError: the table gives no model for this task.
    """
    table = spec.tree["model"]
    named = f"architecture {(table['use'] if isinstance(table, Mapping) else table)!r}"
    with seeded(seeds.of("init", spec.seed), torch.device("cpu")), guarded(named):
        try:
            model: Model = catalog.build("architecture", table, task)
        except InputError as error:  # the other variants may be valid
            raise BuildError(f"{UNBUILT}: {error}") from error
    return laid_out(model, settings, device)


def laid_out(model: Model, settings: TrainSettings, device: torch.device) -> Model:
    """Move a model to its device, with the fastest memory format and convolutions there."""
    model = model.to(device)
    if device.type == "cpu":
        use_winograd(model)
    if settings.channels_last:
        for values in [*model.parameters(), *model.buffers()]:
            if values.ndim == 4:  # other tensors have no such layout
                values.data = values.data.to(memory_format=torch.channels_last)
        if device.type == "cpu":
            keep_contiguous(model)
    return model


def keep_contiguous(model: nn.Module) -> None:
    """Keep those convolutions contiguous whose weight gradient torch's CPU code computes wrongly in channels-last.

    For strided 1x1 convolutions of 2 to 7 channels it writes past its buffer and overwrites other memory. This
    happens with channels-last images whose sides are multiples of the stride (torch 2.14, oneDNN, AVX2).
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.stride != (1, 1):
            if 1 < module.in_channels < 8:
                module.weight.data = module.weight.detach().clone(memory_format=torch.contiguous_format)
                module.register_forward_pre_hook(_contiguous)


def _contiguous(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(values.contiguous() for values in inputs)


def device_of(name: str) -> torch.device:
    """Return the device that `[compute] device` names; "auto" uses CUDA if it is available.

    Raises:
        InputError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(
            f"harness.toml: compute.device: {name!r} is not one of auto, cpu, cuda, cuda:1, mps"
        ) from error
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= counts.get(device.type, 1):
        found = f"{counts[device.type] or 'no'} {device.type.upper()} devices"
        raise InputError(f"harness.toml: compute.device: {name!r}, but torch finds {found} here")
    return device
