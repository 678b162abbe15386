"""Names of harness 0.1 are refused with the names that took their place: all of a file at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import Component, InputError, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.testing.fakes import tiny_catalog

OLD = """
[study]
budget = "quick"

[dataset]
use = "squares"

[train]
epochs = 1

[model]
use = "tiny_cnn"

[search]
trials = 1
stopper = { use = "none" }

[confirm]
label_floor = true

[variants.a]

[systems.net]
predictions = "x.csv"

[budgets.quick]
run = ["a"]
"""


@pytest.fixture
def plan_of(tmp_path: Path) -> Any:
    from harness.api.plan import plan
    from harness.api.session import Session
    from harness.config.settings import load_settings

    session = Session(load_settings(tmp_path), tiny_catalog())

    def make(text: str, *overrides: str) -> None:
        path = tmp_path / "old.toml"
        path.write_text(text)
        plan(path, overrides=overrides, session=session)

    return make


def test_a_study_with_old_keys_is_refused_with_every_new_name(plan_of: Any) -> None:
    with pytest.raises(InputError) as caught:
        plan_of(OLD)
    lines = str(caught.value).splitlines()
    for path, new in (
        ("search.stopper", "pruner"),
        ("confirm.label_floor", "label_control"),
        ("systems", "external"),
        ("budgets.quick.run", "select"),
    ):
        assert any(f"old.toml: {path}: " in line and f"it is called {new!r} now" in line for line in lines), path


@pytest.mark.parametrize(
    ("override", "new"),
    [("search.stopper.use=none", "pruner"), ("confirm.label_floor=true", "label_control"), ("run=['a']", "select")],
)
def test_an_old_key_in_set_is_refused_with_the_new_name(override: str, new: str, plan_of: Any) -> None:
    sound = OLD.replace("stopper", "pruner").replace("label_floor", "label_control").replace("run =", "select =")
    sound = sound.replace('[systems.net]\npredictions = "x.csv"\n', "")
    with pytest.raises(InputError, match=f"it is called '{new}' now"):
        plan_of(sound, override)


@pytest.mark.parametrize("field", ["needs", "provides"])
def test_a_plugin_that_names_a_word_of_0_1_is_refused_when_it_is_loaded(field: str) -> None:
    class Plugin:
        @hookimpl
        def harness_poolings(self) -> list[Component[Any]]:
            old: Any = {field: frozenset({"evidence"})}
            return [Component(name="old", build=lambda features, outputs, /: None, summary="s", **old)]

    catalog = Catalog()
    catalog.register(Plugin())
    (broken,) = catalog.broken
    assert "'old' names 'evidence' in needs or provides; it is called 'saliency' now" in broken.reason
