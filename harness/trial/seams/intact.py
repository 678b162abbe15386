"""Comparison of a model before and after a component had it: parameters, buffers and training flags, bit by bit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Snapshot:
    """The state of a model at one moment.

    Args:
        tensors: copies of parameters and buffers by name, buffers that are not saved included.
        training: the flag of each module by name.
    """

    tensors: dict[str, Tensor]
    training: dict[str, bool]

    @classmethod
    def of(cls, model: nn.Module) -> Snapshot:
        """Copy the state of a model."""
        return cls({name: value.detach().clone() for name, value in _tensors(model).items()}, _flags(model))

    def changes(self, model: nn.Module, ignored: Collection[str] = ()) -> list[str]:
        """Return the names of what differs now, `training of features` for a flag.

        Args:
            model: the same one, later.
            ignored: names of tensors that may differ.
        """
        now, flags = _tensors(model), _flags(model)
        names = [name for name in {**self.tensors, **now} if name not in ignored]
        found = [name for name in names if not _equal(self.tensors.get(name), now.get(name))]
        modes = [name for name in {**self.training, **flags} if self.training.get(name) != flags.get(name)]
        return found + [f"training of {name or 'the model'}" for name in modes]


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _flags(model: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in model.named_modules()}


def _equal(before: Tensor | None, after: Tensor | None) -> bool:
    if before is None or after is None or before.shape != after.shape or before.dtype != after.dtype:
        return False
    if before.device != after.device:
        return False
    return bool(((before == after) | (before.isnan() & after.isnan())).all())
