"""Phases of training: how long each is, what learns in it, what stays in eval, and what it is chosen by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import nn

from harness.contract.keys import metric_of
from harness.contract.nn import Model, Phase


def spread(phases: Sequence[Phase], epochs: int) -> list[Phase]:
    """The phases with their lengths: those that state none share what the others leave of `epochs`, one at least.

    Raises:
        ValueError: there is no phase, or two bear one name.
    """
    names = [phase.name for phase in phases]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"a model has one phase or more, each of its own name, but got {names}.")
    open_ = [phase.name for phase in phases if phase.epochs is None]
    left = max(len(open_), epochs - sum(phase.epochs or 0 for phase in phases))
    shares = {name: left // len(open_) + (place < left % len(open_)) for place, name in enumerate(open_)}
    return [replace(phase, epochs=shares.get(phase.name, phase.epochs)) for phase in phases]


def measured(metrics: Sequence[str], phases: Sequence[Phase], known: Collection[str]) -> tuple[str, ...]:
    """The metrics that validation computes: those of the study, then what else phases are chosen by.

    Phases belong to the model, which a plan does not build: whether a study names their metrics must not matter.

    Raises:
        ValueError: a phase is chosen by a metric that nobody provides.
    """
    wanted = dict.fromkeys(metrics)
    for phase in phases:
        key = phase.select_by or ""
        name = metric_of(key, known)
        if key.startswith("val/") and name is None:
            raise ValueError(f"phase {phase.name!r} is chosen by {key!r}, and no such metric is installed.")
        wanted |= {name: None} if name is not None else {}
    return tuple(wanted)


def choose(model: Model, phase: Phase) -> list[nn.Parameter]:
    """Lets the phase's parameters learn and no others; returns them.

    Raises:
        ValueError: the phase names no parameter.
    """
    chosen = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(_under(name, prefix) for prefix in phase.trainable))
        chosen += [parameter] if parameter.requires_grad else []
    if not chosen:
        raise ValueError(f"phase {phase.name!r}: no parameter's name begins with {', '.join(phase.trainable)}.")
    return chosen


def set_modes(model: Model, phase: Phase) -> None:
    """Puts the model in training mode, what the phase names in eval, batch-norm included.

    Raises:
        ValueError: a prefix names nothing.
    """
    model.train()
    for prefix in phase.eval_mode:
        found = [module for name, module in model.named_modules() if _under(name, prefix)]
        if not found:
            raise ValueError(f"phase {phase.name!r}: no module's name begins with {prefix!r}.")
        for module in found:
            module.eval()


def _under(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(prefix.rstrip(".") + ".")
