"""Phases of training: their length, trainable parameters, modules in eval mode and selecting metric."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import nn

from harness.contract.keys import metric_of
from harness.contract.nn import Model, Phase


def spread(phases: Sequence[Phase], epochs: int) -> list[Phase]:
    """Return the phases with their lengths; those without one share the epochs that others leave, at least one each.

    Raises:
        ValueError: there is no phase, or two have one name.
    """
    names = [phase.name for phase in phases]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"a model needs one or more phases with distinct names, but got {names}.")
    open_ = [phase.name for phase in phases if phase.epochs is None]
    left = max(len(open_), epochs - sum(phase.epochs or 0 for phase in phases))
    shares = {name: left // len(open_) + (place < left % len(open_)) for place, name in enumerate(open_)}
    return [replace(phase, epochs=shares.get(phase.name, phase.epochs)) for phase in phases]


def measured(metrics: Sequence[str], phases: Sequence[Phase], known: Collection[str]) -> tuple[str, ...]:
    """Return the metrics that validation computes: those of the study, then those that select epochs of phases.

    Phases belong to the model, which a plan does not build, so a study need not name their metrics.

    Raises:
        ValueError: a phase is selected by a metric that is not installed.
    """
    wanted = dict.fromkeys(metrics)
    for phase in phases:
        key = phase.select_by or ""
        name = metric_of(key, known)
        if key.startswith("val/") and name is None:
            raise ValueError(f"phase {phase.name!r} is selected by {key!r}, but no such metric is installed.")
        wanted |= {name: None} if name is not None else {}
    return tuple(wanted)


def choose(model: Model, phase: Phase) -> list[nn.Parameter]:
    """Make only the phase's parameters trainable and return them.

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
    """Set the model to training mode and the modules that the phase names to eval mode, batch norm included.

    Raises:
        ValueError: a prefix matches no module.
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
