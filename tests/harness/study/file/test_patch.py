"""Patches: laws of `merge`, and what `--set` takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import InputError
from harness.config.merge import merge
from harness.study.file.patch import nested, parse_override, states

leaves = st.one_of(st.integers(-9, 9), st.lists(st.integers(0, 3), max_size=2), st.just({"float": [0, 1]}))
plain = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=8)
tables = st.dictionaries(st.sampled_from("abcd"), plain, max_size=4)


@given(tables)
def test_an_empty_patch_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == tree


@given(tables, tables)
def test_a_patch_applied_twice_is_applied_once(tree: dict[str, Any], patch: dict[str, Any]) -> None:
    assert merge(merge(tree, patch), patch) == merge(tree, patch)


@given(tables, tables)
def test_what_a_patch_does_not_mention_stays(tree: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = merge(tree, patch)
    assert {key: merged[key] for key in tree if key not in patch} == {k: v for k, v in tree.items() if k not in patch}


@given(tables, st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), st.integers())
def test_what_a_patch_states_holds(tree: dict[str, Any], path: list[str], value: int) -> None:
    merged = merge(tree, nested(path, value))
    assert states(merged, path)
    for key in path:
        merged = merged[key]
    assert merged == value


def test_another_use_replaces_the_whole_table() -> None:
    base = {"pooling": {"use": "top", "fraction": 0.1}}
    assert merge(base, {"pooling": {"use": "mean"}}) == {"pooling": {"use": "mean"}}
    assert merge(base, {"pooling": {"use": "top", "extra": 1}}) == {
        "pooling": {"use": "top", "fraction": 0.1, "extra": 1}
    }
    assert merge(base, {"pooling": {"fraction": 0.2}}) == {"pooling": {"use": "top", "fraction": 0.2}}


def test_a_list_of_names_to_use_replaces_the_list_alone() -> None:
    tree = {"explain": {"use": ["native"], "images": 8, "faithfulness": {"use": ["zero"]}}}
    patched = merge(tree, {"explain": {"use": ["gradcam"]}})
    assert patched["explain"] == {"use": ["gradcam"], "images": 8, "faithfulness": {"use": ["zero"]}}


def test_a_distribution_is_a_leaf() -> None:
    range_, other = {"float": [0, 1], "log": True}, {"float": [2, 3]}
    assert merge({"x": range_}, {"x": other}) == {"x": other}
    assert merge({"x": range_}, {"x": 1}) == {"x": 1}
    assert merge({"x": range_}, {"x": {"use": "y"}}) == {"x": {"use": "y"}}
    assert merge({"x": {"use": "y"}}, {"x": range_}) == {"x": range_}


def test_a_bare_name_is_a_table_with_only_use() -> None:
    assert merge({"pooling": "top"}, {"pooling": {"fraction": 0.2}}) == {"pooling": {"use": "top", "fraction": 0.2}}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train.lr=1e-3", ("train", "lr"), 1e-3),
        ("train.lr = 3", ("train", "lr"), 3),
        ("train.amp=bf16", ("train", "amp"), "bf16"),
        ("model.weights=/data/w.p", ("model", "weights"), "/data/w.p"),
        ("dataset.path=../x.csv", ("dataset", "path"), "../x.csv"),
        ("variants.train.lr=2", ("variants", "train", "lr"), 2),
        ("variants.k1.model.crops=2", ("k1", "model", "crops"), 2),
        ('study.question="what = this?"', ("study", "question"), "what = this?"),
        ("dataset.path=busi/manifest.csv", ("dataset", "path"), "busi/manifest.csv"),
        ("train.augment=['flip']", ("train", "augment"), ["flip"]),
        ("model.pooling={use='top', fraction={float=[0.1, 0.2]}}", ("model", "pooling"), None),
        ('variant."odd name".x=true', ("variant", "odd name", "x"), True),
        ("train.channels_last=false", ("train", "channels_last"), False),
    ],
)
def test_set_takes_toml_values_and_bare_words(text: str, path: tuple[str, ...], value: Any) -> None:
    override = parse_override(text)
    assert override.path == path
    assert value is None or (override.value == value and type(override.value) is type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.lr", "--set train.lr: expected a.b=VALUE"),
        ("=3", "--set =3: expected a.b=VALUE"),
        ("train..lr=3", "--set train..lr=3: 'train..lr' is not a dotted path"),
        ("train.lr=.5", "--set train.lr=.5: '.5' is not a TOML value; a string with spaces needs quotes"),
        ("train.lr=[1,", "--set train.lr=[1,: '[1,' is not a TOML value; a string with spaces needs quotes"),
        ("train.lr=", "--set train.lr=: '' is not a TOML value; a string with spaces needs quotes"),
        ("a.b=two words", "--set a.b=two words: 'two words' is not a TOML value; a string with spaces needs quotes"),
        ("a.b=1\nc=2", "--set a.b=1\nc=2: '1\\nc=2' is not a TOML value; a string with spaces needs quotes"),
    ],
)
def test_an_unreadable_set_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_override(text)
    assert str(caught.value) == message
