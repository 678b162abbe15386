"""Study files: where they are found, and how their structure is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import InputError
from harness.study.file.spec import find_study, load_study, study_names


def _message(call: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_study_of_the_folder_hides_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = study_names()["gmic_ablation"].resolve()
    monkeypatch.chdir(tmp_path)
    assert study_names()["gmic_ablation"].resolve() == packaged
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/gmic_ablation.toml").write_text("")
    (tmp_path / "studies/mine.toml").write_text("")
    assert find_study("gmic_ablation") == Path("studies/gmic_ablation.toml")
    assert list(study_names()) == sorted(study_names())
    assert "mine" in study_names()


def test_an_unknown_study_is_answered_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no study named 'gmic_ablatoin'; did you mean 'gmic_ablation'?" in _message(find_study, "gmic_ablatoin")


@pytest.mark.parametrize("name", ["../secret", "a/b", "/etc/passwd", ".hidden", "", "a b", "..", "a\\b"])
def test_a_study_name_that_holds_a_path_is_refused(name: str) -> None:
    assert _message(find_study, name) == (
        f"{name!r} is not a study name: use letters, digits, - and _ only, or a path that ends in .toml"
    )


def test_an_explicit_path_to_a_file_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "my-study.toml"
    path.parent.mkdir()
    path.write_text('[study]\nquestion = "Q?"')
    study = load_study(find_study(str(path)))
    assert (study.name, study.question, list(study.variants)) == ("my-study", "Q?", ["base"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert _message(find_study, str(path)) == f"{path}: no such file"
    assert _message(load_study, path) == f"{path}: cannot be read: No such file or directory"


def test_a_file_whose_name_is_no_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my study.toml"
    path.write_text("")
    expected = f"{path}: a file name is a study name: use letters, digits, - and _ only, found 'my study'"
    assert _message(load_study, path) == expected


def test_a_byte_order_mark_does_not_hurt(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    text = find_study("gmic_ablation").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8-sig")
    assert load_study(path)


def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[study]\nquestion = \n")
    assert _message(load_study, path) == f"{path}: is not valid TOML: Invalid value (at line 2, column 12)"
    path.write_bytes(b'[study]\nquestion = "\xff"')
    assert _message(load_study, path) == f"{path}: is not UTF-8 at byte 20"


def test_all_mistakes_of_structure_are_reported_with_path_and_nearest_name(planner: Any) -> None:
    text = (
        planner.BASE
        + """
[modle]
use = "bag"
[variants.both.search]
trials = 3
[variants.typo.trian]
lr = 1
[variants.model.train]
lr = 1
[variants."a/b"]
[variants]
number = 3
[budgets.quick]
select = ["plain", "gpa", "plain", "plain"]
demonstration = "yes"
trials = { trials = 3 }
train = 3
[budgets.date.train]
lr = 2024-01-01
clip = nan
"""
    )
    sections = "study, dataset, train, model, search, confirm, explain"
    listed = f"{sections}, select, demonstration"
    assert planner.problems(text.replace('baseline = "plain"', 'budget = "quick"')) == [
        f"study.toml: modle: a study has the sections {sections}, variants, external, readers, ensembles, budgets; "
        "did you mean 'model'?",
        "study.toml: variants.'a/b': a name holds letters, digits, - and _ only",
        "study.toml: variants.number: expected a table, found 3",
        "study.toml: variants.model: this is the name of a section; choose another name",
        "study.toml: variants.both.search: must be the same for every variant, so that variants can be compared",
        "study.toml: variants.typo.trian: a variant can change dataset, train, model; did you mean 'train'?",
        f"study.toml: budgets.quick.trials: a budget has the keys {listed}",
        "study.toml: budgets.quick.train: expected a table, found 3",
        "study.toml: budgets.quick.select: the variant 'plain' is listed twice",
        "study.toml: budgets.quick.select: no variant named 'gpa'; did you mean 'gap'?",
        "study.toml: budgets.quick.demonstration: expected true or false, found 'yes'",
        "study.toml: budgets.date.train.lr: a date is not allowed here",
        "study.toml: budgets.date.train.clip: expected a finite number, found nan",
    ]
