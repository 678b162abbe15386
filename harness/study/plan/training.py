"""Checks [train] against what is trained and on what: settings that each make sense, and cannot work together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.config.space import concretes
from harness.contract.components import Component, Use
from harness.contract.errors import HarnessError, Problems, nearest
from harness.contract.types import Task
from harness.trial.settings.training import NO_COPIES, TrainSettings, uncollected


def check_training(train: Mapping[str, Any], task: Task, parts: Collection[Component[Any]], problems: Problems) -> None:
    """Notes the settings that would fail after, or in, a training that nothing else stops.

    Args:
        train: a variant's table, sound by itself; every value that is searched counts.
        task: of its data.
        parts: the architecture and all that stands in its slots.
        problems: where mistakes go, each once.
    """
    told = set[tuple[str, str]]()
    for settings in map(TrainSettings.of, concretes(train)):
        for path, message in (*_copies(settings, task), *_channels(settings, task), *_refused(settings, parts)):
            if (path, message) not in told:
                problems.add(path, message)
            told.add((path, message))


def _copies(settings: TrainSettings, task: Task) -> Iterator[tuple[str, str]]:
    if settings.tta and task.sample != "image":
        yield "train.tta", NO_COPIES


def _channels(settings: TrainSettings, task: Task) -> Iterator[tuple[str, str]]:
    if task.sample != "features" and (wrong := uncollected(settings.normalise, task.channels)):
        yield "train.normalise", wrong


def _refused(settings: TrainSettings, parts: Collection[Component[Any]]) -> Iterator[tuple[str, str]]:
    """What the components say for themselves, `Component.refuses`."""
    known = TrainSettings.model_fields
    for component in parts:
        for setting, why in component.refuses.items():
            key, given, value = setting.partition("=")
            if key not in known:
                raise HarnessError(
                    f"{component.name!r} refuses {setting!r}, and [train] has no such key{nearest(key, known)}"
                )
            found = getattr(settings, key)
            if _name(found) == value if given else found != known[key].get_default():
                yield f"train.{key}", why


def _name(setting: Any) -> str:
    """Return a setting as `Component.refuses` writes it: a component by its name."""
    return setting.name if isinstance(setting, Use) else str(setting)
