"""Checks of [train] against the model and the data: settings that are valid alone but not together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.config.space import concretes
from harness.contract.components import Component, Use
from harness.contract.errors import HarnessError, Problems, nearest
from harness.contract.types import Task
from harness.trial.settings.training import NO_COPIES, TrainSettings, uncollected


def check_training(train: Mapping[str, Any], task: Task, parts: Collection[Component[Any]], problems: Problems) -> None:
    """Add settings that would fail during or after training to `problems`.

    Args:
        train: the table of a variant, valid by itself; every searched value is checked.
        task: of its data.
        parts: the architecture and all components in its slots.
        problems: gets each mistake once.
    """
    reported = set[tuple[str, str]]()
    for settings in map(TrainSettings.of, concretes(train)):
        for path, message in (*_of_data(settings, task), *_refused(settings, parts)):
            if (path, message) not in reported:
                problems.add(path, message)
            reported.add((path, message))


def _of_data(settings: TrainSettings, task: Task) -> Iterator[tuple[str, str]]:
    """Yield the settings that the data do not allow."""
    if settings.tta and task.sample != "image":
        yield "train.tta", NO_COPIES
    if task.sample != "features" and (wrong := uncollected(settings.normalise, task.channels)):
        yield "train.normalise", wrong


def _refused(settings: TrainSettings, parts: Collection[Component[Any]]) -> Iterator[tuple[str, str]]:
    """Yield the settings that the components refuse, `Component.refuses`."""
    known = TrainSettings.model_fields
    for component in parts:
        for setting, why in component.refuses.items():
            key, given, value = setting.partition("=")
            if key not in known:
                raise HarnessError(
                    f"{component.name!r} refuses {setting!r}, but [train] has no key {key!r}{nearest(key, known)}"
                )
            found = getattr(settings, key)
            if _name(found) == value if given else found != known[key].get_default():
                yield f"train.{key}", why


def _name(setting: Any) -> str:
    """Return a setting as `Component.refuses` writes it: a component by its name."""
    return setting.name if isinstance(setting, Use) else str(setting)
