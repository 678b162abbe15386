"""The laws are worth something only if what breaks them is caught: for each law there is a component that breaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from harness import Component, Task, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.testing.laws.check import try_law
from harness.testing.laws.registry import laws_of, laws_of_kind
from harness.testing.laws.subject import Settings, Subject
from tests.harness.testing.zoo import backbones, datasets, explainers, metrics, poolings, training
from tests.harness.testing.zoo.animal import Animal
from tests.harness.testing.zoo.models import images, samples

ZOO: Mapping[str, Sequence[Animal]] = {
    "dataset": datasets.ANIMALS,
    "backbone": backbones.ANIMALS,
    "pooling": poolings.ANIMALS,
    "architecture": [*images.ANIMALS, *samples.ANIMALS],
    "explainer": explainers.ANIMALS,
    "metric": metrics.ANIMALS,
    "optimiser": training.OPTIMISERS,
    "schedule": training.SCHEDULES,
}
FURTHER = [("explainer", explainers.ZEROING), *(("architecture", animal) for animal in images.FURTHER)]
HONEST = [
    ("dataset", datasets.HONEST),
    ("backbone", backbones.HONEST),
    ("pooling", poolings.HONEST),
    ("explainer", explainers.HONEST),
    ("metric", metrics.HONEST),
    ("optimiser", training.HONEST_OPTIMISER),
    ("schedule", training.HONEST_SCHEDULE),
    ("architecture", images.HONEST),
    *(("architecture", honest) for honest in samples.HONEST),
]
SETTINGS = Settings(
    task=Task(classes=("benign", "malignant"), image_size=(32, 32)),
    steps=60,
    change={"size": 12},
    references=metrics.REFERENCES,
    phases=((1, 1), (7, 2)),
)


def _case(kind: str, animal: Animal) -> object:
    return pytest.param(kind, animal, id=f"{kind}-{animal.component.name}")


@pytest.mark.parametrize("kind", ZOO)
def test_every_law_has_a_component_that_breaks_it(kind: str) -> None:
    assert sorted(animal.component.name for animal in ZOO[kind]) == sorted(law.name for law in laws_of_kind(kind))


ALL = [_case(kind, animal) for kind, animals in ZOO.items() for animal in animals]


@pytest.mark.parametrize(("kind", "animal"), ALL)
def test_what_breaks_a_law_is_caught_by_it(kind: str, animal: Animal) -> None:
    subject = _subject(kind, animal.component)
    (own,) = [law for law in laws_of_kind(kind) if law.name == animal.component.name]
    assert try_law(own, subject).verdict == "fail"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "animal"), ALL)
def test_what_breaks_a_law_breaks_no_other_that_is_not_listed(kind: str, animal: Animal) -> None:
    failed = _failed(kind, animal.component, animal.component.name)
    expected = {animal.component.name, *animal.also}
    assert failed == expected if animal.exact else failed <= expected


@pytest.mark.parametrize(("kind", "animal"), [_case(*further) for further in FURTHER])
def test_other_ways_to_break_a_law_are_caught(kind: str, animal: Animal) -> None:
    assert _failed(kind, animal.component, animal.component.name) == {animal.component.name, *animal.also}


@pytest.mark.parametrize(("kind", "honest"), [_case(*honest) for honest in HONEST])
def test_an_honest_component_breaks_none(kind: str, honest: Animal) -> None:
    found = [try_law(law, _subject(kind, honest.component)) for law in laws_of(_subject(kind, honest.component))]
    assert [(item.law.name, item.seen) for item in found if item.verdict == "fail"] == []


def _failed(kind: str, component: Component, own: str) -> set[str]:
    """Return the laws that fail: its own, and all that do not train."""
    subject = _subject(kind, component)
    laws = [law for law in laws_of(subject) if law.name == own or not law.trains]
    return {law.name for law in laws if try_law(law, subject).verdict == "fail"}


def _subject(kind: str, component: Component) -> Subject:
    plugin = type("Zoo", (), {f"harness_{kind}s": staticmethod(hookimpl(lambda: [component]))})()
    catalog = Catalog.discover() if kind in ("architecture", "pooling", "explainer") else Catalog()
    catalog.register(plugin)
    assert not catalog.broken, catalog.broken
    return Subject(kind=kind, component=component, catalog=catalog, settings=SETTINGS)
