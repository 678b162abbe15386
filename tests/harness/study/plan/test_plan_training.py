"""Settings of [train] that would fail hours later: the plan refuses them, in the words of what would have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness import Component, HarnessError, InputError, Plan, Task, hookimpl
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan

STUDY = """
[dataset]
use = "histology_phantom"
images = [8, 4, 4]
image_size = [64, 64]
[train]
epochs = 2
[model]
use = "cnn"
backbone = { use = "resnet22", stride = 8, width = 4 }
[variants.plain]
"""
NET = '{ use = "resnet22", stride = 8, width = 4 }'
PATCHES = f'[variants.patches.model]\nuse = "attention_pooling"\npatch_px = 16\nscorer = {NET}\nbackbone = {NET}\n'
EXAMS = f"""
[variants.exams]
dataset = {{ use = "phantom_exams", images = [32, 8, 8], image_size = [128, 96] }}
model = {{ use = "dmv_cnn", backbone = {NET} }}
"""
DETECTOR = f'[variants.boxes.model]\nuse = "faster_rcnn"\nbackbone = {NET}\n'
NO_COPIES = "`tta` changes single images, and these samples have several instances: set `tta = 0`"
MOVED = (
    "attention_pooling selects an image's patches before each epoch, and they must still be there: "
    "leave `train.augment` empty"
)
UNWEIGHTED = 'the losses of faster_rcnn take no label weights: use `balance = "sampler"` in place of "weights"'

COLOUR = 'normalise = "mnist" is for images of 1 channels, and these have 3: set "image"'


@pytest.fixture
def plan(tmp_path: Path, catalog: Catalog) -> Callable[..., Plan]:
    """`plan(text, *overrides)` with the built-in components."""

    def plan(text: str, *overrides: str, catalog: Catalog = catalog) -> Plan:
        path = tmp_path / "study.toml"
        path.write_text(text)
        settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache")
        return make_plan(load_study(path), catalog, settings, overrides=overrides)

    return plan


@pytest.mark.parametrize(
    ("variants", "overrides", "message"),
    [
        (EXAMS, ["train.augment=['shift']", "train.tta=10"], f"--set train.tta: {NO_COPIES}"),
        (PATCHES, ["train.augment=['flip']"], f"--set train.augment: {MOVED}"),
        (DETECTOR, ["train.balance='weights'"], f"--set train.balance: {UNWEIGHTED}"),
        ("[variants.grey]\n", ["train.normalise='mnist'"], f"--set train.normalise: {COLOUR}"),
        # Any value of what is searched counts, and is told once.
        (DETECTOR, ["train.balance={choice=['none', 'weights']}"], f"--set train.balance: {UNWEIGHTED}"),
        # In the variant itself.
        (PATCHES + '[variants.patches.train]\naugment = ["flip"]\n', [], f"variants.patches.train.augment: {MOVED}"),
    ],
)
def test_a_training_that_would_fail_in_the_end_is_refused(
    plan: Any, tmp_path: Path, variants: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        plan(STUDY + variants, *overrides)
    assert str(caught.value) == f"{tmp_path / 'study.toml'}: {message}"


def test_a_part_of_a_model_refuses_for_the_whole(plan: Any) -> None:
    inner = f'{{ use = "attention_pooling", patch_px = 16, scorer = {NET}, backbone = {NET} }}'
    around = (
        f'[variants.around.model]\nuse = "pixel_labels"\nwindow_px = 16\nbackbone = {NET}\narchitecture = {inner}\n'
    )
    assert plan(STUDY + around)
    with pytest.raises(InputError, match="leave `train.augment` empty"):
        plan(STUDY + around, "train.augment=['flip']")


@pytest.mark.parametrize(
    ("variants", "overrides"),
    [
        (EXAMS, ["train.augment=['shift']"]),
        (EXAMS, ["exams.train.tta=0", "train.augment=['shift']"]),
        (PATCHES, ["train.augment=[]"]),
        (DETECTOR, ["train.balance='sampler'"]),
        ("", ["train.augment=['flip']", "train.tta=10", "train.balance='weights'"]),
    ],
)
def test_what_works_is_planned(plan: Any, variants: str, overrides: list[str]) -> None:
    assert not plan(STUDY + variants, *overrides).skipped


def test_a_variant_that_is_skipped_anyway_is_not_refused(plan: Any) -> None:
    single = '[variants.single]\ndataset = { use = "phantom_exams", images = [32, 8, 8], image_size = [128, 96] }\n'
    found = plan(STUDY + single, "train.augment=['shift']", "train.tta=2")
    assert [skip.variant for skip in found.skipped] == ["single"]


class Stubborn:
    """An architecture that refuses a key which [train] does not have."""

    @hookimpl
    def harness_architectures(self) -> Iterable[Any]:
        yield Component(name="stubborn", build=build_stubborn, summary="s", refuses={"agument": "no"})


class Choosy:
    """An architecture that is not trained with plain gradients."""

    @hookimpl
    def harness_architectures(self) -> Iterable[Any]:
        refuses = {"optimiser=sgd": "not with sgd", "schedule": "leave `train.schedule` out"}
        yield Component(name="choosy", build=build_stubborn, summary="s", refuses=refuses)


def build_stubborn(task: Task, /) -> Any:
    raise AssertionError("a plan builds no model")


def test_a_refusal_of_an_unknown_setting_is_the_plugins_mistake(plan: Any) -> None:
    catalog = Catalog.discover()
    catalog.register(Stubborn())
    with pytest.raises(HarnessError, match="'stubborn' refuses 'agument', but .* did you mean 'augment'"):
        plan(STUDY + '[variants.own.model]\nuse = "stubborn"\n', catalog=catalog)


def test_an_optimiser_is_refused_by_its_name_and_a_schedule_unless_it_is_the_default(plan: Any) -> None:
    catalog, text = Catalog.discover(), STUDY + '[variants.own.model]\nuse = "choosy"\n'
    catalog.register(Choosy())
    assert plan(text, "train.optimiser=lion", "train.schedule.use=constant", catalog=catalog)
    with pytest.raises(InputError) as caught:
        plan(text, "train.optimiser.use=sgd", "train.schedule=cosine", catalog=catalog)
    assert [line.split(": ", 1)[1] for line in str(caught.value).splitlines()] == [
        "--set train.optimiser: not with sgd",
        "--set train.schedule: leave `train.schedule` out",
    ]
