"""One address for a component, `distribution:component`; a name that two strangers offer is refused with both."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Component, InputError, PoolingFactory, hookimpl, use
from harness.contract.errors import Problems
from harness.contract.loading.catalog import RESULTS_VERSION, Catalog
from harness.contract.provider import BUILT_IN, Provider


def build_thing(features: int, outputs: int, /, *, window: int = 1) -> object:
    return (features, outputs, window)


class Pools:
    """A plugin of poolings."""

    def __init__(self, *names: str) -> None:
        self.names = names

    @hookimpl
    def harness_poolings(self) -> list[Component[Any]]:
        return [Component(name=name, build=build_thing, summary=f"{name} of {self.names}") for name in self.names]


def catalog(disabled: tuple[str, ...] = ()) -> Catalog:
    found = Catalog(disabled=frozenset(disabled))
    found.register(Pools("mean"), Provider("poolings", BUILT_IN, "0.2"))
    found.register(Pools("median", "mode"), Provider("acme", "Acme.Pools", "0.1"))
    found.register(Pools("median"), Provider("rocket", "rocket_pools", "3.0"))
    return found


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("mean", "mean"),
        ("mil-harness:mean", "mean"),
        ("mode", "acme-pools:mode"),
        ("acme-pools:mode", "acme-pools:mode"),
        ("Acme_Pools:median", "acme-pools:median"),
        ("rocket-pools:median", "rocket-pools:median"),
        ("rocket-pools", "rocket-pools:median"),  # its only pooling
        ("median", None),
        ("acme-pools", None),
        ("acme-pools:mean", None),
    ],
)
def test_every_spelling_has_one_address(spelling: str, address: str | None) -> None:
    assert catalog().address("pooling", spelling) == address


def test_a_name_of_two_strangers_is_refused_with_both() -> None:
    problems = Problems("study.toml")
    assert catalog().factory("pooling", {"use": "median"}, problems, "model.pooling") is None
    assert problems.messages == [
        "study.toml: model.pooling.use: several plugins offer 'median': write one of 'acme-pools:median' of "
        "acme (Acme.Pools 0.1), 'rocket-pools:median' of rocket (rocket_pools 3.0)"
    ]
    assert catalog().names("pooling") == ["acme-pools:median", "mean", "mode", "rocket-pools:median"]


def test_each_of_the_two_is_built_by_its_address() -> None:
    found = catalog()
    assert found.build("pooling", {"use": "rocket-pools:median", "window": 3}, 4, 2) == (4, 2, 3)
    assert found.provider("pooling", "acme-pools:median").distribution == "Acme.Pools"
    assert found.versions([("pooling", "rocket-pools:median"), ("pooling", "mean")]) == {
        BUILT_IN: RESULTS_VERSION,
        "rocket_pools": "3.0",
    }


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("acme-pools:mod", "did you mean 'acme-pools:mode'?"),
        ("acme-poles:mode", "did you mean 'acme-pools:mode'?"),
        ("mil-harness:mena", "did you mean 'mean'?"),
        ("meen", "did you mean 'mean'?"),
    ],
)
def test_a_wrong_address_suggests_the_nearest(wrong: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        catalog().get("pooling", wrong)
    assert str(caught.value) == f"no pooling named {wrong!r}; {hint}"


def test_a_strangers_component_with_a_built_in_name_stays_refused() -> None:
    found = catalog()
    found.register(Pools("mean"), Provider("other", "other-pools", "1"))
    assert [item.reason for item in found.broken] == [
        "harness_poolings: the pooling 'mean' is already provided by poolings (mil-harness 0.2)"
    ]


@pytest.mark.parametrize(
    ("disabled", "left"),
    [
        ("acme-pools:median", ["mean", "median", "mode"]),
        ("ACME_pools:mode", ["acme-pools:median", "mean", "rocket-pools:median"]),
        ("mil-harness:mean", ["acme-pools:median", "mode", "rocket-pools:median"]),
    ],
)
def test_one_component_is_left_out_by_its_address(disabled: str, left: list[str]) -> None:
    found = catalog((disabled,))
    assert found.names("pooling") == left and found.left_out == {disabled}
    assert not found.broken


def test_a_distribution_is_left_out_with_all_its_plugins() -> None:
    assert list(Catalog.discover(disabled=["mil-harness"]).items()) == []


def test_the_default_of_a_builder_is_the_component_of_its_own_plugin() -> None:
    def build_net(task: object, /, *, pooling: PoolingFactory = use("median", window=5)) -> object:
        return pooling(4, 2)

    class Net:
        @hookimpl
        def harness_architectures(self) -> list[Component[Any]]:
            return [Component(name="net", build=build_net, summary="")]

    for distribution in ("rocket_pools", "acme-pools"):
        found = catalog()
        found.register(Net(), Provider("net", distribution, "1"))
        factory = found.factory("architecture", "net", Problems(""), "model")
        assert factory is not None
        own = factory.params["pooling"].component
        assert found.provider_of("pooling", own).plugin == distribution[: distribution.index("p") - 1]
        assert factory(None) == (4, 2, 5)
