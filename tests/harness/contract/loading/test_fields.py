"""A word of `needs` or `provides` that nobody knows earns a remark with the nearest one; `acme:word` is free."""

from __future__ import annotations

import pytest

from harness import Component, hookimpl
from harness.contract.loading.catalog import Catalog


def build_thing(features: int, outputs: int, /) -> object:
    return object()


def remarks(**fields: frozenset[str]) -> list[str]:
    class Plugin:
        @hookimpl
        def harness_poolings(self) -> list[Component[object]]:
            return [Component(name="thing", build=build_thing, summary="", **fields)]

    catalog = Catalog()
    catalog.register(Plugin())
    assert catalog.names("pooling") == ["thing"] and not catalog.broken
    return [remark.message for remark in catalog.remarks]


@pytest.mark.parametrize(
    ("field", "word", "nearest"),
    [
        ("provides", "salienzy", "saliency"),
        ("needs", "train_mask", "train_masks"),
        ("needs", "instance", "instances"),
        ("provides", "explain-layer", "explain_layer"),
    ],
)
def test_a_misspelt_word_is_named_with_the_nearest(field: str, word: str, nearest: str) -> None:
    assert remarks(**{field: frozenset({word, "stages"})}) == [
        f"the {field} of 'thing' names {word!r}, which is no word of the harness; did you mean {nearest!r}?"
    ]


def test_a_word_like_no_other_is_asked_for_a_prefix() -> None:
    (remark,) = remarks(needs=frozenset({"quux"}))
    assert remark.endswith("which is no word of the harness; a word of your own has a prefix, as 'acme:quux'")


def test_a_word_with_a_prefix_and_every_word_of_the_built_in_components_are_free() -> None:
    assert remarks(needs=frozenset({"acme:tiles"}), provides=frozenset({"acme:salienzy"})) == []
    assert Catalog.discover().remarks == []
