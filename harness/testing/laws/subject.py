"""A component under test: what it is built from and with, and what the laws may vary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from harness.contract.components import Component, Factory
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Task


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the laws are tested with; the defaults fit most components.

    Args:
        params: parameters of the component in place of `Component.tiny`.
        task: of architectures: classes, size and channels of the images.
        sizes: of backbones: image sizes (h, w), two of them at least; odd sizes have their own law.
        steps: of architectures and optimisers: steps in which they must have learnt.
        lr: of optimisers: the learning rate at which they learn.
        phases: of schedules: numbers of steps and epochs.
        change: of data sets: parameters that change the digest.
        files: of data sets: writes the files that the data set reads, given the data root.
        references: of metrics: name -> the same metric by another library; see `laws.metrics`.
    """

    params: Mapping[str, Any] | None = None
    task: Task = field(default_factory=lambda: Task(classes=("benign", "malignant"), image_size=(64, 64)))
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (96, 72))
    steps: int = 200
    lr: float = 0.02
    phases: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (30, 6), (97, 1), (120, 40))
    change: Mapping[str, Any] = field(default_factory=lambda: {"image_size": (160, 120)})
    files: Callable[[Path], None] | None = None
    references: Mapping[str, Callable[..., Mapping[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A component under test.

    Args:
        kind: one of `KINDS`.
        component: is built from its `tiny` configuration.
        catalog: fills its slots.
        settings: what the laws are tested with.
    """

    kind: str
    component: Component[Any]
    catalog: Catalog
    settings: Settings = field(default_factory=Settings)
    _shared: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def params(self) -> Mapping[str, Any]:
        """The parameters that it is built with."""
        return self.component.tiny if self.settings.params is None else self.settings.params

    def factory(self, **changed: Any) -> Factory:
        """Return the component in its smallest configuration, with changed parameters."""
        problems = Problems("")
        table = {"use": self.component.name, **self.params, **changed}
        made = self.catalog.factory(self.kind, table, problems, self.kind)
        problems.raise_if_any()
        assert made is not None
        return made

    def build(self, *supplied: Any, seed: int = 0) -> Any:
        """Build the component with weights drawn from `seed`."""
        with seeded(seed):
            return self.factory()(*supplied)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what `make` gave when this key was first asked for; the laws of one component share it."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]


def subjects_of(plugin: Any, kind: str, settings: Settings) -> list[Subject]:
    """Return the components of one kind that a plugin (a module or an object with hooks) yields."""
    hook = getattr(plugin, f"harness_{kind}s", None)
    components = [] if hook is None else list(hook())
    return [
        Subject(kind=kind, component=item, catalog=_catalog(plugin, kind, item.name), settings=settings)
        for item in components
    ]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's generator as after `torch.manual_seed(seed)`; restore its state at the end."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@cache
def _catalog(plugin: Any, kind: str, name: str) -> Catalog:
    """Return a catalog of everything installed, with the plugin added if it is not installed."""
    catalog = Catalog.discover()
    if name not in catalog.names(kind):
        catalog.register(plugin)
    return catalog
