"""Every mistake a plan finds, with its exact message: path, what was found, what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import Component, InputError, Task, hookimpl
from harness.contract.errors import HarnessError
from harness.contract.provider import Provider
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan

BAG = "'bag' takes backbone, pooling, crops, beta"


def _lines(messages: list[str]) -> list[str]:
    return [f"study.toml: {message}" for message in messages]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Components and their keys.
        ('use = "bag"', 'use = "bga"', "model.use: no architecture named 'bga'; did you mean 'bag'?"),
        ('use = "bag"', 'use = "bag"\ncrps = 3', f"model.crps: {BAG}; did you mean 'crops'?"),
        ('use = "bag"', 'use = "bag"\ncrops = 3.5', "model.crops: expected int, found 3.5"),
        ('use = "blobs"', 'use = "blob"', "dataset.use: no dataset named 'blob'; did you mean 'blobs'?"),
        (
            'use = "blobs"',
            'use = "blobs"\nmasks = "outlnie"',
            "dataset.masks: 'outlnie' is not one of outline, circle, none; did you mean 'outline'?",
        ),
        (
            '{ use = "mean" }',
            '{ use = "attention", dims = 3 }',
            "variants.gap.model.pooling.dims: 'attention' takes dim, dropout; did you mean 'dim'?\n"
            "variants.gap.model.pooling.dim: 'attention' needs this parameter",
        ),
        ('{ use = "mean" }', '"maen"', "variants.gap.model.pooling.use: no pooling named 'maen'; did you mean 'mean'?"),
        ('{ use = "mean" }', "3", "variants.gap.model.pooling: expected Callable, found 3"),
        # What a component says itself: t and K.
        (
            "fraction = 0.5",
            "fraction = 0.0",
            "variants.top.model.pooling: `0 < fraction <= 1` must hold, but got fraction=0.0.",
        ),
        (
            "fraction = 0.5",
            "fraction = 1.01",
            "variants.top.model.pooling: `0 < fraction <= 1` must hold, but got fraction=1.01.",
        ),
        ('use = "bag"', 'use = "bag"\ncrops = 65', "model: K = 65: at most 64 crops fit a 8 x 8 map."),
        # The ends of ranges and the options of choices are checked like values.
        (
            'use = "bag"',
            'use = "bag"\ncrops = { int = [1, 65] }',
            "model: K = 65: at most 64 crops fit a 8 x 8 map.",
        ),
        ('use = "bag"', 'use = "bag"\ncrops = { float = [1, 6] }', "model.crops: expected int, found 3.5"),
        (
            "fraction = 0.5",
            "fraction = { float = [0, 0.5] }",
            "variants.top.model.pooling: `0 < fraction <= 1` must hold, but got fraction=0.0.",
        ),
        (
            '{ use = "mean" }',
            '{ choice = ["mean", { use = "top", fractoin = 0.1 }] }',
            "variants.gap.model.pooling.fractoin: 'top' takes fraction; did you mean 'fraction'?",
        ),
        (
            'use = "bag"',
            'use = "bag"\ncrops = { int = [6, 1] }',
            "model.crops.int: the lower bound comes first, found [6, 1]",
        ),
        (
            '{ use = "mean" }',
            '{ choice = [{ use = "top", fraction = { float = [0.1, 0.2] } }, { use = "attention", dim = 3 }, '
            '{ use = "top", fraction = { float = [0.1, 0.3] } }] }',
            "variants.gap.model.pooling.fraction: two options search this parameter over different ranges; "
            "they must be the same",
        ),
        (
            'use = "blobs"',
            'use = "blobs"\nseed = { int = [0, 3] }',
            "dataset.seed: data cannot be searched: every trial of a variant must see the same",
        ),
        (
            "fraction = 0.5",
            'space = "wide"',
            "variants.top.model.pooling.space: expected \"default\", found 'wide'",
        ),
        (
            '{ use = "mean" }',
            '{ use = "mean", space = "default" }',
            "variants.gap.model.pooling.space: 'mean' has no default ranges",
        ),
        # [train]
        ("epochs = 4", "epochs = 3.7", "train.epochs: expected int, found 3.7"),
        ("epochs = 4", "epochs = -1", "train.epochs: must be greater than or equal to 0, found -1"),
        ("default = -3", "default = -5", "train.lr.default: -5 is outside [-4, -2]"),
        (
            "lr = { log10 = [-4, -2], default = -3 }",
            "lr = { log_10 = [-4, -2] }",
            "train.lr: expected float, found {'log_10': [-4, -2]}; did you mean 'log10'?",
        ),
        ("lr = {", "lr = -1.0 # {", "train.lr: must be greater than 0, found -1.0"),
        (
            "epochs = 4",
            'epochs = 4\noptimiser = { use = "lino" }',
            "train.optimiser.use: no optimiser named 'lino'; did you mean 'lion'?",
        ),
        (
            "epochs = 4",
            'epochs = 4\nschedule = "cosin"',
            "train.schedule.use: no schedule named 'cosin'; did you mean 'cosine'?",
        ),
        (
            "epochs = 4",
            "epochs = 4\noptimiser = 3",
            'train.optimiser: an optimiser is a table with `use = "name"`, found 3',
        ),
        (
            "epochs = 4",
            'epochs = 4\noptimiser = { use = "adam", betas = [0.9] }',
            "train.optimiser.betas: expected list of float, float, found [0.9]",
        ),
        (
            "epochs = 4",
            'epochs = 4\noptimiser = { use = "sgd", momentum = { float = [0.5, 1.0] } }',
            "train.optimiser: `0 <= momentum < 1` must hold, but got momentum=1.0.",
        ),
        (
            "epochs = 4",
            'epochs = 4\nschedule = { use = "cosine", warmup = 1.0 }',
            "train.schedule: `0 <= warmup < 1` must hold, but got warmup=1.0.",
        ),
        (
            "epochs = 4",
            'epochs = 4\noptimiser = { use = "adam", momentum = 0.9 }',
            "train.optimiser.momentum: 'adam' takes betas",
        ),
        (
            "epochs = 4",
            'epochs = 4\naugment = ["flip", "flop"]',
            "train.augment.1: 'flop' is not one of flip, flip_vertical, shift, rotate, scale, shear, noise; "
            "did you mean 'flip'?",
        ),
        ("epochs = 4", 'epochs = 4\naugment = ["flip", "flip"]', "train.augment: flip is given twice"),
        # [study]
        ('"dice"]', '"dcie"]', "study.metrics.1: no metric named 'dcie'; did you mean 'dice'?"),
        (
            'question = "?"',
            'objective.metric = "test/auroc"',
            "study.objective.metric: 'test/auroc' is measured on test, which a search may not open; write 'val/auroc'",
        ),
        (
            'question = "?"',
            'objective.metric = "auroc"',
            "study.objective.metric: 'auroc' is not a metric of the validation split; write for example 'val/auroc'",
        ),
        (
            'question = "?"',
            'objective.metric = "val/aucroc"',
            "study.objective.metric: no metric named 'aucroc'; did you mean 'auroc'?",
        ),
        (
            'question = "?"',
            'objective.metric = "val/auroc/malign"',
            "study.objective.metric: no class named 'malign'; did you mean 'malignant'?",
        ),
        (
            'question = "?"',
            'objective.metric = "val/dice"',
            "study.objective.metric: 'dice' needs eval_masks, outline, which a search may not see",
        ),
        (
            'question = "?"',
            'objective = { mode = "maximum" }',
            "study.objective.mode: 'maximum' is not one of max, min; did you mean 'max'?",
        ),
        ('"plain"', '"plian"', "study.baseline: no variant named 'plian'; did you mean 'plain'?"),
        (
            'question = "?"',
            'claims = [{ says = "a", better = "plian", than = "plain/global" }]',
            "study.claims.0.better: no variant named 'plian'; did you mean 'plain'?",
        ),
        (
            'question = "?"',
            'claims = [{ says = "a", better = "plain", than = "plain/global", metric = "f1" }]',
            "study.claims.0.metric: no metric named 'f1' (there are: auroc, dice)",
        ),
        (
            'question = "?"',
            'claims = [{ says = "a", better = "plain", than = "plain/global", within = 0.02, not_below = 0.02 }]',
            "study.claims.0: write either `within` (the two are equal) or `not_below` (the first is no worse)",
        ),
        (
            'question = "?"',
            'claims = [{ says = "a", better = "plain", than = "plain/global", within = 0.0 }]',
            "study.claims.0.within: must be greater than 0, found 0.0",
        ),
        (
            'question = "?"',
            'claims = [{ says = "a", better = "plain", than = "plain/global", label = "b" }]',
            "study.claims.0.label: unknown key; allowed are better, class, metric, not_below, says, than, within",
        ),
        # [search], [confirm], [explain]
        ("trials = 4", "trials = 0", "search.trials: must be greater than or equal to 1, found 0"),
        ("seeds = [0, 1]", "folds = 2", "confirm.folds: must be greater than or equal to 3, found 2"),
        (
            'use = "tpe", startup = 2',
            'use = "random", startup = 2',
            "search.sampler.startup: unknown key; allowed are use",
        ),
        (
            'sampler = { use = "tpe", startup = 2 }',
            'sampler = { use = "grid" }',
            "search.sampler: a grid needs a `step` or a `choice`, but train.lr is continuous",
        ),
        ("seeds = [0, 1]", "seeds = [1, 1]", "confirm.seeds: the seed 1 is listed twice"),
        (
            "seeds = [0, 1]",
            "seeds = []",
            "confirm.seeds: expected at least 1 entry, found []",
        ),
        (
            "[confirm]",
            '[explain]\nuse = ["natvie"]\n[confirm]',
            "explain.use.0.use: no explainer named 'natvie'; did you mean 'native'?",
        ),
        (
            "[confirm]",
            '[explain]\nuse = [{ use = "native", image = 3 }]\n[confirm]',
            "explain.use.0.image: 'native' takes images; did you mean 'images'?",
        ),
        (
            "[confirm]",
            '[explain]\nuse = ["native", { use = "native", images = 2 }]\n[confirm]',
            "explain.use.1: 'native' is listed twice: its maps would have one name; "
            'name one of them, as `name = "native_2"`',
        ),
    ],
)
def test_a_mistake_is_reported_with_its_path(planner: Any, old: str, new: str, message: str) -> None:
    assert planner.problems(planner.replaced((old, new))) == _lines(message.splitlines())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modle.crops=3", "--set modle.crops: no section or variant named 'modle'; did you mean 'model'?"),
        ("model.crps=3", f"--set model.crps: has no effect on any variant: {BAG}; did you mean 'crops'?"),
        ("train.lrr=1", None),
        ("train=1", "--set train: set a section key by key; only dataset, train and model can be set to a table"),
        ("model.crops=3.5", "--set model.crops: expected int, found 3.5"),
        ("model.pooling=maen", "--set model.pooling.use: no pooling named 'maen'; did you mean 'mean'?"),
        (
            "train.lr.log10=[-3, -2]",
            "--set train.lr.log10: has no effect on any variant: train.lr is a range; set the whole range",
        ),
        ("train.lr={log10=[-2, -3]}", "--set train.lr.log10: the lower bound comes first, found [-2, -3]"),
        (
            "gap.model.pooling.fraction=0.1",
            "--set gap.model.pooling.fraction: has no effect: 'mean' takes no parameters",
        ),
        ("gap.search.trials=1", "--set gap.search.trials: only keys of dataset, train, model can be set for a variant"),
        ("gpa.train.lr=1", "--set gpa.train.lr: no section or variant named 'gpa'; did you mean 'gap'?"),
        ("select=['gpa']", "--set select: no variant named 'gpa'; did you mean 'gap'?"),
        ("search.trials=2.5", "--set search.trials: expected int, found 2.5"),
    ],
)
def test_a_set_that_cannot_be_is_refused(planner: Any, override: str, message: str | None) -> None:
    found = planner.problems(planner.BASE, override)
    if message is None:
        assert found[0].startswith("study.toml: --set train.lrr: unknown key; allowed are amp, augment, ")
        assert found[0].endswith("; did you mean 'lr'?")
    else:
        assert found == _lines([message])


def test_every_unreadable_set_is_reported(planner: Any) -> None:
    assert planner.problems(planner.BASE, "train.lr", "a..b=3", "model.crps=3") == [
        "--set train.lr: expected a.b=VALUE",
        "--set a..b=3: 'a..b' is not a dotted path",
        *_lines([f"--set model.crps: has no effect on any variant: {BAG}; did you mean 'crops'?"]),
    ]


def test_a_set_for_a_variant_that_does_not_run_is_refused(planner: Any) -> None:
    found = planner.problems(planner.BASE, "select=['plain']", "gap.train.lr=1")
    assert found == _lines(["--set gap.train.lr: has no effect: the variant 'gap' does not run at this budget"])


def test_all_mistakes_are_reported_at_once_and_each_once(planner: Any) -> None:
    text = planner.replaced(
        ("epochs = 4", "epochs = 3.7"),
        ("[model]", "[modle]\n[model]\ncrps = 3"),
        ("fraction = 0.5", "fractoin = 0.5"),
        ("trials = 4", "trials = 0"),
        ('"dice"]', '"dcie"]'),
    )
    assert planner.problems(text) == _lines(
        [
            "modle: a study has the sections study, dataset, train, model, search, confirm, explain, variants, "
            "external, readers, ensembles, budgets; did you mean 'model'?",
            "search.trials: must be greater than or equal to 1, found 0",
            "train.epochs: expected int, found 3.7",
            f"model.crps: {BAG}; did you mean 'crops'?",
            "variants.top.model.pooling.fractoin: 'top' takes fraction; did you mean 'fraction'?",
            "study.metrics.1: no metric named 'dcie'; did you mean 'dice'?",
        ]
    )


def test_a_mistake_in_a_budget_is_reported_there(planner: Any) -> None:
    text = planner.BASE + "[budgets.quick]\ntrain.epochs = 2.5\nsearch.trials = 0\n"
    assert planner.problems(text, budget="quick") == _lines(
        [
            "budgets.quick.search.trials: must be greater than or equal to 1, found 0",
            "budgets.quick.train.epochs: expected int, found 2.5",
        ]
    )


def test_a_variant_that_does_not_run_is_checked_all_the_same(planner: Any) -> None:
    text = planner.BASE + '[budgets.quick]\nselect = ["plain"]\n[variants.bad.model]\ncrps = 3\n'
    message = f"variants.bad.model.crps: {BAG}; did you mean 'crops'?"
    assert planner.problems(text, budget="quick") == _lines([message])
    # Only what depends on the budget is left to the budget that runs it.
    text = planner.BASE + '[budgets.quick]\nselect = ["plain"]\n[variants.many.model]\ncrops = 65\n'
    assert len(planner.plan(text, budget="quick").variants) == 1


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("qiuck", "no budget named 'qiuck'; did you mean 'quick'? (there are: quick, full)"),
        (None, "study.budget: name the default budget, one of quick, full"),
    ],
)
def test_a_budget_must_be_one_of_the_studys(planner: Any, budget: str | None, message: str) -> None:
    text = planner.BASE + "[budgets.quick]\n[budgets.full]\n"
    assert planner.problems(text, budget=budget) == _lines([message])


def test_a_budget_that_is_not_there_is_reported_with_all_other_mistakes(planner: Any) -> None:
    text = planner.BASE + "[trian]\nepochs = 2\n[budgets.quick]\n"
    first, second = planner.problems(text, budget=None)
    assert first.startswith("study.toml: trian: ") and first.endswith("; did you mean 'train'?")
    assert second.endswith("study.budget: name the default budget, one of quick")


def test_a_budget_is_not_set(planner: Any) -> None:
    text = planner.BASE + "[budgets.quick]\n"
    message = "--set study.budget: choose a budget with --budget NAME"
    assert planner.problems(text, "study.budget=full", budget="quick") == _lines([message])


def test_a_study_without_budgets_has_none(planner: Any) -> None:
    assert planner.problems(planner.BASE, budget="quick") == _lines(["no budget named 'quick' (there are: none)"])


def test_folds_ask_for_a_fixed_configuration(planner: Any) -> None:
    text = planner.replaced(("seeds = [0, 1]", "seeds = [0]\nfolds = 5"))
    assert planner.problems(text, "select=['plain', 'gap']", "gap.train.lr=0.1") == _lines(
        ["confirm.folds: k folds need a fixed configuration, but 'plain' searches train.lr"]
    )
    plan = planner.plan(text, "train.lr=0.1")
    digests = plan.variants[0].facts["fold_digests"]
    assert plan.confirm["folds"] == 5
    assert len(digests) == 5 and digests[4].endswith("fold 4")


def test_what_a_data_set_refuses_is_reported(planner: Any) -> None:
    planner.settings.data.joinpath("gone").mkdir()
    object.__setattr__(planner.settings, "data", planner.settings.data / "nowhere")
    assert planner.problems() == _lines([f"dataset: {planner.settings.data}: there is no such folder"])


def test_a_wrong_key_of_training_hides_no_wrong_value_of_the_model(planner: Any) -> None:
    text = planner.replaced(("epochs = 4", "epochs = 3.7"), ("fraction = 0.5", "fraction = 0.0"))
    assert planner.problems(text) == _lines(
        [
            "train.epochs: expected int, found 3.7",
            "variants.top.model.pooling: `0 < fraction <= 1` must hold, but got fraction=0.0.",
        ]
    )


def test_an_unsound_range_and_a_wrong_section_hide_nothing(planner: Any) -> None:
    text = planner.replaced(
        ("default = -3 }", "default = -9 }"),
        ("epochs = 4", "epochs = -1"),
        ("fraction = 0.5", "fraction = 0.0"),
        ('baseline = "plain"', 'baseline = "plian"\nobjective = { metric = "test/auroc" }'),
        ('"dice"]', '"dcie"]'),
    )
    assert planner.problems(text) == _lines(
        [
            "train.lr.default: -9 is outside [-4, -2]",
            "study.objective.metric: 'test/auroc' is measured on test, which a search may not open; write 'val/auroc'",
            "train.epochs: must be greater than or equal to 0, found -1",
            "variants.top.model.pooling: `0 < fraction <= 1` must hold, but got fraction=0.0.",
            "study.baseline: no variant named 'plian'; did you mean 'plain'?",
            "study.metrics.1: no metric named 'dcie'; did you mean 'dice'?",
        ]
    )


def test_a_data_set_without_a_task_is_refused_before_anything_is_trained(planner: Any) -> None:
    with pytest.raises(InputError) as caught:
        _plan_with(planner, Component(name="wordless", build=build_faulty, summary="s"))
    assert str(caught.value) == (
        "study.toml: dataset.use: 'wordless' declares no task: its Component needs `task=`; "
        "it is from other (other-data 2.0)"
    )


def test_a_data_set_that_fails_names_who_provides_it(planner: Any) -> None:
    with pytest.raises(HarnessError, match=r"other \(other-data 2.0\): the data set 'faulty' failed: KeyError"):
        _plan_with(
            planner, Component(name="faulty", build=build_faulty, summary="s", task=lambda: Task(classes=("a",)))
        )


def build_faulty(root: Path, /) -> Any:
    raise KeyError("column")


def _plan_with(planner: Any, component: Component[Any]) -> Any:
    """A plan on a stranger's data set."""

    class Other:
        @hookimpl
        def harness_datasets(self) -> list[Component[Any]]:
            return [component]

    catalog = planner.catalog()
    catalog.register(Other(), Provider("other", "other-data", "2.0"))
    path = Path("study.toml")
    path.write_text(planner.replaced(('use = "blobs"', f'use = "{component.name}"')))
    return make_plan(load_study(path), catalog, planner.settings)
