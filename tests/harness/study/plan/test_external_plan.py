"""Systems, readers and averages in a study file: what a plan makes of them, and every mistake with its path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.study.journal.progress import replicates

CSV = "case,side,cancer,r_a,r_b,net,split\n1,L,0,.1,.2,.3,test\n1,R,1,.9,.8,.7,test\n"

SYSTEMS = """
[study]
baseline = "net"
[external.net]
predictions = "tables/x.csv"
id = ["case", "side"]
group = "case"
label = "cancer"
score = "net"
[readers.people]
predictions = "tables/x.csv"
id = ["case", "side"]
group = "case"
label = "cancer"
score = "r_*"
[ensembles.mixed]
of = ["people", "net"]
lambda = 0.25
"""
BESIDE = """
[external.other]
predictions = "tables/x.csv"
id = ["case", "side"]
score = { benign = "r_a", malignant = "r_b" }
[ensembles.both]
of = ["plain", "other"]
"""


@pytest.fixture
def tables(planner: Any) -> Any:
    """The planner, with a table below its data root."""
    (planner.settings.data / "tables").mkdir()
    (planner.settings.data / "tables" / "x.csv").write_text(CSV)
    return planner


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_a_study_of_tables_alone_needs_nothing_else(tables: Any) -> None:
    plan = tables.plan(SYSTEMS)
    assert [(variant.name, variant.kind) for variant in plan.variants] == [
        ("net", "external"),
        ("people", "external"),
        ("mixed", "ensemble"),
    ]
    assert not plan.trained and plan.baseline == "net" and not plan.warnings
    assert plan.variants[1].facts["readers"] == ["r_a", "r_b"]
    assert plan.variants[2].tree["ensemble"]["weights"] == [0.25, 0.75]


def test_a_family_is_confirmed_once_a_reader_and_an_external_table_once(tables: Any) -> None:
    plan = tables.plan(SYSTEMS)
    readers = [[replicate.reader for replicate in replicates(plan, variant)] for variant in plan.variants]
    assert readers == [[None], ["r_a", "r_b"], ["r_a", "r_b"]]


def test_with_a_data_set_an_external_table_scores_its_classes_and_an_average_has_the_models_seeds(tables: Any) -> None:
    plan = tables.plan(tables.BASE + BESIDE)
    assert [variant.name for variant in plan.variants] == ["plain", "gap", "top", "other", "both"]
    other, both = plan.variants[3:]
    assert other.tree["external"]["scores"] == {"benign": "r_a", "malignant": "r_b"}
    assert [replicate.seed for replicate in replicates(plan, both)] == [0, 1] and len(replicates(plan, other)) == 1


def test_a_table_edited_is_another_variant_and_so_is_what_is_averaged_from_it(tables: Any) -> None:
    before = {variant.name: variant.id for variant in tables.plan(tables.BASE + BESIDE).variants}
    (tables.settings.data / "tables" / "x.csv").write_text(CSV + "2,L,0,.1,.1,.1,test\n")
    after = {variant.name: variant.id for variant in tables.plan(tables.BASE + BESIDE).variants}
    assert {name for name in before if before[name] != after[name]} == {"other", "both"}


def test_a_variant_added_changes_no_other(tables: Any) -> None:
    alone, with_systems = tables.plan(tables.BASE), tables.plan(tables.BASE + BESIDE)
    assert alone.study_id == with_systems.study_id
    assert [variant.id for variant in alone.variants] == [variant.id for variant in with_systems.variants[:3]]


def test_a_budget_selects_among_all_variants(tables: Any) -> None:
    text = SYSTEMS + '[budgets.few]\nselect = ["net"]\n'
    assert [variant.name for variant in tables.plan(text, budget="few").variants] == ["net"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('predictions = "tables/x.csv"\nid = ["case", "side"]\ngroup = "case"\nlabel = "cancer"\nscore = "net"',
         'predictions = "tables/y.csv"\nid = ["case", "side"]\ngroup = "case"\nlabel = "cancer"\nscore = "net"',
         "external.net.predictions: no file 'tables/y.csv' below the data root ROOT; "
         "did you mean 'tables/x.csv'?"),
        ('score = "net"', 'score = "ned"',
         "external.net.score: the table has no column 'ned'; did you mean 'net'? "
         "(it has case, side, cancer, r_a, r_b, net, split)"),
        ('score = "r_*"', 'score = "s_*"',
         "readers.people.score: a family needs two readers or more, the same for each class: 's_*' matches 0"),
        ('score = "r_*"', 'score = "r_a"',
         "readers.people.score: 'r_a' is not a pattern: write one * for the reader, as in 'reader*'"),
        ('[external.net]\n', '[external.net]\nscores = "net"\n',
         "external.net.scores: unknown key; allowed are group, id, label, labels, predictions, score, split, unit; "
         "did you mean 'score'?"),
        ("lambda = 0.25", "lambda = 1.5",
         "ensembles.mixed.lambda: 1.5 is not one of fit, oracle, or a number from 0 to 1"),
        ("lambda = 0.25", 'weights = "fits"',
         "ensembles.mixed.weights: 'fits' is not one of mean, fit, oracle, or a list of one number for each member; "
         "did you mean 'fit'?"),
        ("lambda = 0.25", "weights = [0.5, 0.6]",
         "ensembles.mixed: weights must not be negative and must sum to 1, found [0.5, 0.6]"),
        ("lambda = 0.25", 'weights = "oracle"',
         "ensembles.mixed: its weights are chosen on the rows it is scored on: its name must begin with 'oracle_'"),
        ('of = ["people", "net"]', 'of = ["poeple", "net"]',
         "ensembles.mixed.of.0: no variant named 'poeple'; did you mean 'people'?"),
        ('of = ["people", "net"]', 'of = ["mixed", "net"]',
         "ensembles.mixed.of.0: list 'mixed' before 'mixed', which averages it"),
        ("[readers.people]", "[readers.net]", "readers.net: another variant has this name: external.net"),
        ("[readers.people]", "[readers.train]", "readers.train: this is the name of a section; choose another name"),
        ('baseline = "net"', 'baseline = "nett"', "study.baseline: no variant named 'nett'; did you mean 'net'?"),
        ("[external.net]", "[externl.net]",
         "externl: a study has the sections study, dataset, train, model, search, confirm, explain, variants, "
         "external, readers, ensembles, budgets; did you mean 'external'?"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_path_and_the_nearest_right_name(tables: Any, old: str, new: str, message: str) -> None:
    found = tables.problems(replaced(SYSTEMS, old, new))
    assert f"study.toml: {message}".replace("ROOT", str(tables.settings.data)) in found


def test_group_and_label_are_needed_where_no_data_set_has_them(tables: Any) -> None:
    text = SYSTEMS.replace('group = "case"\nlabel = "cancer"\n', "", 1)
    assert tables.problems(text)[:2] == [
        "study.toml: external.net.label: this key is required without a data set",
        "study.toml: external.net.group: this key is required without a data set: intervals resample patients",
    ]


def test_with_a_data_set_every_class_needs_its_column(tables: Any) -> None:
    one = tables.problems(tables.BASE + BESIDE.replace('{ benign = "r_a", malignant = "r_b" }', '"r_a"'))
    assert 'external.other.score: there are 2 classes: write { benign = "…", malignant = "…" }' in one[0]
    wrong = tables.problems(tables.BASE + BESIDE.replace("benign =", "bening ="))
    assert "external.other.score.bening: no class named 'bening'; did you mean 'benign'?" in wrong[0]
    assert "external.other.score: no column for the class benign" in wrong[1]


def test_a_table_cannot_be_looked_for_outside_the_data_root(tables: Any, tmp_path: Path) -> None:
    for path in ("../x.csv", "/etc/x.csv"):
        text = SYSTEMS.replace("tables/x.csv", path, 1)
        said = f"external.net.predictions: {path!r} leaves the data root; write a path relative to it"
        assert f"study.toml: {said}" in tables.problems(text)


def test_a_link_out_of_the_data_root_leaves_it_too(tables: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.csv"
    outside.write_text(CSV)
    (tables.settings.data / "link.csv").symlink_to(outside)
    assert "leaves the data root" in tables.problems(SYSTEMS.replace("tables/x.csv", "link.csv", 1))[0]


def test_external_tables_are_not_compared_over_folds(tables: Any) -> None:
    text = tables.replaced(
        ("seeds = [0, 1]", "seeds = [0]\nfolds = 3"), ("lr = { log10 = [-4, -2], default = -3 }", "")
    )
    found = tables.problems(text + BESIDE)
    assert "study.toml: confirm.folds: 'other' was tested once: it cannot be compared over folds" in found


def test_a_set_argument_cannot_change_a_table(tables: Any) -> None:
    found = tables.problems(SYSTEMS, "net.train.lr=0.1")
    assert found == ["study.toml: --set net.train.lr: has no effect: 'net' is not trained"]


def test_an_average_whose_member_is_skipped_is_skipped(tables: Any) -> None:
    text = tables.BASE.replace(
        "[variants.top.model]", '[variants.views.model]\nuse = "two_views"\n[variants.top.model]'
    )
    plan = tables.plan(text + BESIDE.replace('"plain", "other"', '"views", "other"'))
    assert [skip.variant for skip in plan.skipped] == ["views", "both"]
    assert plan.skipped[1].reason == "its member 'views' is skipped"


def test_a_metric_of_maps_is_left_out_where_there_are_tables_only(tables: Any) -> None:
    plan = tables.plan(SYSTEMS.replace("[study]", '[study]\nmetrics = ["auroc", "dice"]', 1))
    assert plan.metrics == ("auroc",) and "'dice' is left out" in plan.warnings[0]


def test_the_kind_of_a_task_is_said_of_tables_alone_and_is_part_of_their_identity(tables: Any) -> None:
    plain, said = tables.plan(SYSTEMS), tables.plan(SYSTEMS.replace("[study]", '[study]\nkind = "multiclass"', 1))
    assert all("kind" not in variant.tree[variant.kind] for variant in plain.variants)
    assert [variant.tree[variant.kind]["kind"] for variant in said.variants] == ["multiclass"] * 3
    text = tables.BASE.replace("[study]", '[study]\nkind = "multilabel"', 1) + BESIDE
    assert tables.problems(text) == [
        "study.toml: study.kind: the data set knows it; the key is for studies of tables alone"
    ]


def test_a_plan_of_tables_imports_nothing_heavy(tables: Any) -> None:
    Path("s.toml").write_text(SYSTEMS)
    code = (
        "import sys; from harness.cli.main import main\n"
        "sys.argv = ['harness', 'study', 'plan', 's.toml']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'ray', 'mlflow', 'optuna', 'pandas', 'timm'} & set(sys.modules); assert not heavy, heavy"
    )
    environment = {**os.environ, "HARNESS_DATA": str(tables.settings.data)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
