"""The laws as pytest tests: `laws_for(module)` in one line, or a class a kind to subclass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, ClassVar

import pytest

from harness.contract.components import KINDS
from harness.testing.laws.law import Law, SkipLaw
from harness.testing.laws.registry import laws_of
from harness.testing.laws.subject import Settings, Subject, subjects_of


def laws_for(plugin: Any, *kinds: str, only: Sequence[str] = (), **settings: Any) -> Callable[..., None]:
    """Return a pytest function that tries every law of a plugin's components; assign it to `test_laws`.

    Args:
        plugin: a module, or an object with hooks.
        kinds: the kinds of component; all by default.
        only: names of components; all by default.
        settings: fields of `Settings`.
    """

    @pytest.mark.parametrize(("subject", "law"), _cases(plugin, kinds or KINDS, only, Settings(**settings)))
    def test_laws(subject: Subject, law: Law) -> None:
        _try(law, subject)

    return test_laws


class Laws:
    """Laws of some kinds. Set `plugin`, optionally `only` to some names, and any field of `Settings`."""

    kinds: ClassVar[tuple[str, ...]] = KINDS
    plugin: ClassVar[Any]
    only: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each law once for each component of the plugin."""
        if "law" in metafunc.fixturenames:
            given = {item.name: getattr(self, item.name) for item in fields(Settings) if hasattr(self, item.name)}
            cases = _cases(self.plugin, self.kinds, self.only, Settings(**given))
            metafunc.parametrize(("subject", "law"), cases)

    def test_law(self, subject: Subject, law: Law) -> None:
        """Test one law of one component."""
        _try(law, subject)


class DatasetLaws(Laws):
    """Laws of data sets, in an empty data root or with `params` and `files`."""

    kinds = ("dataset",)


class BackboneLaws(Laws):
    """Laws of backbones."""

    kinds = ("backbone",)


class PoolingLaws(Laws):
    """Laws of poolings."""

    kinds = ("pooling",)


class ArchitectureLaws(Laws):
    """Laws of architectures, those over instances and views included."""

    kinds = ("architecture",)


class ExplainerLaws(Laws):
    """Laws of explainers."""

    kinds = ("explainer",)


class MetricLaws(Laws):
    """Laws of metrics."""

    kinds = ("metric",)


class OptimiserLaws(Laws):
    """Laws of optimisers."""

    kinds = ("optimiser",)


class ScheduleLaws(Laws):
    """Laws of schedules."""

    kinds = ("schedule",)


def _cases(plugin: Any, kinds: Sequence[str], only: Sequence[str], settings: Settings) -> list[Any]:
    subjects = (item for kind in kinds for item in subjects_of(plugin, kind, settings))
    return [case for item in subjects if not only or item.component.name in only for case in _of_subject(item)]


def _of_subject(subject: Subject) -> Iterator[Any]:
    for law in laws_of(subject):
        reason = subject.component.xfail.get(law.name)
        marks = () if reason is None else pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)
        yield pytest.param(subject, law, id=f"{subject.component.name}-{law.name}", marks=marks)


def _try(law: Law, subject: Subject) -> None:
    try:
        law.run(subject)
    except SkipLaw as reason:
        pytest.skip(str(reason))
