"""The report of a made-up study: what it says, what it leaves out, and that its numbers are the tables'."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.contract.tables import OVERLAYS
from harness.contract.types import Objective, Plan, Sample, Skip, VariantPlan
from harness.evidence.accounts import data_card
from harness.evidence.figures import overlay_figure, read_overlays
from harness.evidence.markdown import markdown_table, number
from harness.evidence.report import write_report
from harness.evidence.summary import variant_table

CLASSES = ("benign", "malignant")
PNG = b"\x89PNG"


def plan() -> Plan:
    names = ("gmic", "gap", "blind")
    variants = [VariantPlan(name=name, id=name, tree={}) for name in names]
    variants[1] = replace(variants[1], needs=("train_masks",))
    return Plan(
        study="made_up",
        study_id="0123456789abcdef",
        budget="quick",
        path=Path("studies/made_up.toml"),
        question="Which of three?",
        baseline="gmic",
        objective=Objective(),
        metrics=("auroc",),
        variants=tuple(variants),
        skipped=(Skip(variant="views", reason="needs views"),),
        warnings=("two variants come to the same thing",),
        search={"trials": 3},
        confirm={"seeds": [0, 1]},
        dataset_digest="d" * 64,
        plugins={"mil-harness": "0.1.0"},
        demonstration=True,
    )


def overlays(classes: int = 2, images: int = 3, colour: bool = False) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    masks = np.zeros((images, classes, 32, 24), np.uint8)
    masks[:, 0, 20:, 10:] = 1  # reaches the border
    labels = np.tile(np.arange(classes) == 0, (images, 1)).astype(np.float32)
    labels[-1] = np.nan
    return {
        "images": random.integers(0, 255, (images, 32, 24, *([3] if colour else [])), dtype=np.uint8),
        "masks": masks,
        "maps": random.random((images, classes, 4, 3)).astype(np.float16) * (np.arange(classes) != 1)[:, None, None],
        "ids": np.array([f"image {number}" for number in range(images)]),
        "labels": labels,
        "scores": random.random((images, classes)).astype(np.float32),
        "classes": np.array([f"class {k}" for k in range(classes)]),
    }


@pytest.fixture(scope="module")
def folder(tables, trials: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    ledger = [
        {"opened": ["train", "val"], "masks": {"fit": [], "test": []}}
        if stage == "search"
        else {"opened": ["train", "val", "test"], "masks": {"fit": [], "test": ["test"]}}
        for stage in trials["stage"]
    ]
    samples = [Sample(id="1", group="p", unit="1", labels=(1.0, 0.0))]
    written = write_report(
        folder,
        plan=plan(),
        classes=CLASSES,
        predictions=tables[0],
        maps=tables[1],
        trials=trials.assign(ledger=ledger),
        card=data_card({"train": samples, "test": samples}, CLASSES),
        overlays={"gmic": overlays()},
        assumed={"gmic": {"padding": "minimum of the image"}},
        test_openings=12,
        command="harness study run made_up --budget quick",
        resamples=200,
    )
    assert all(path.exists() for path in written) and written[0].name == "report.md"
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "report.md").read_text()


def test_a_demonstration_is_headed_as_one(text: str) -> None:
    assert text.splitlines()[0] == "# made_up: a demonstration, not a result"


@pytest.mark.parametrize(
    "line",
    [
        "Which of three?",
        "two variants come to the same thing",
        "`views` was not run: needs views",
        "`gap`, search 2 (seed 0) failed: ValueError: loss is NaN",
        "Masks read while fitting: none.",
        "Masks read after the weights were frozen: test.",
        "Openings of the test split by this study: 0 in search, 6 in confirm.",
        "by all studies so far: 12.",
        "`gmic`, padding: minimum of the image",
        "harness study run made_up --budget quick",
        "`mil-harness` 0.1.0",
        "gap (fully supervised)",
        "gmic (baseline)",
        "![Saliency of gmic beside the true outlines](overlays/gmic.png)",
        "| train | 1 | 1 | 1 | 1 | 0 |",
    ],
)
def test_the_report_says(text: str, line: str) -> None:
    assert line in text


def test_the_main_table_shows_the_numbers_of_the_csv(folder: Path, text: str) -> None:
    table = pd.read_csv(folder / "tables" / "variants.csv").query("head == 'output'")
    assert table["variant"].tolist() == ["gmic", "gap", "blind"]
    for row in table.to_dict("records"):
        assert f"{number(row['auroc'])} ± {number(row['auroc_std'])}" in text
        assert f"[{number(row['auroc_low'])}, {number(row['auroc_high'])}]" in text
    assert number(table.set_index("variant").loc["gap", "auroc_difference"], signed=True) in text


def test_lesions_without_an_outline_are_counted(tables, text: str) -> None:
    lesions = tables[1].query("variant == 'gmic' and seed == 0 and label == 1")
    unknown = int((lesions["id"] == "i5").sum())
    assert unknown and f"{unknown} of {len(lesions)} lesions (image and class) have no known outline" in text


def test_pictures_are_there(folder: Path) -> None:
    for name in ("differences.png", "overlays/gmic.png"):
        assert (folder / name).read_bytes().startswith(PNG)


def test_every_link_of_the_report_leads_somewhere(folder: Path, text: str) -> None:
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert links and all((folder / link).exists() for link in links)


def test_nothing_confirmed_is_said_and_not_an_error(trials: pd.DataFrame, tmp_path: Path) -> None:
    searched = trials[trials["stage"] == "search"].assign(state="failed", value=np.nan)
    write_report(tmp_path, plan=plan(), classes=CLASSES, predictions=None, maps=None, trials=searched)
    text = (tmp_path / "report.md").read_text()
    assert "No variant was confirmed" in text and "The trials kept no ledger." in text


def test_one_variant_with_one_seed_has_no_spread_and_no_difference(tables, trials, tmp_path: Path) -> None:
    alone = replace(plan(), variants=plan().variants[:1], demonstration=False)
    predictions = tables[0].query("variant == 'gmic' and seed == 0")
    write_report(tmp_path, plan=alone, classes=CLASSES, predictions=predictions, maps=None, trials=trials, resamples=50)
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# made_up\n") and "nan " not in text
    assert not (tmp_path / "differences.png").exists()


@pytest.mark.parametrize(("classes", "images", "colour"), [(1, 1, False), (2, 5, False), (3, 2, True)])
def test_overlays_of_any_number_of_classes_are_drawn(classes: int, images: int, colour: bool) -> None:
    assert overlay_figure(overlays(classes, images, colour), "title").startswith(PNG)


def test_several_images_of_a_unit_get_a_table_of_units(tables, trials, folder: Path, tmp_path: Path) -> None:
    views = tables[0].assign(unit=tables[0]["group"])
    write_report(tmp_path, plan=plan(), classes=CLASSES, predictions=views, maps=None, trials=trials, resamples=50)
    assert "### By what is diagnosed" in (tmp_path / "report.md").read_text()
    found = pd.read_csv(tmp_path / "tables" / "units.csv")
    order = ["gmic", "gap", "blind"]
    expected = variant_table(views, None, baseline="gmic", order=order, classes=CLASSES, unit=True, resamples=50)
    pd.testing.assert_frame_equal(found, expected)
    assert not (folder / "tables" / "units.csv").exists()


def test_overlays_come_back_from_their_file() -> None:
    def saved(arrays: Mapping[str, np.ndarray]) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    arrays = overlays()
    assert set(read_overlays(saved(arrays))) == set(OVERLAYS)
    del arrays["scores"]
    with pytest.raises(ValueError, match="has no scores"):
        read_overlays(saved(arrays))


def test_numbers_drop_their_leading_zero_and_keep_their_sign() -> None:
    written = [number(0.8714), number(1.0), number(-0.0204, signed=True), number(0.03, signed=True), number(np.nan)]
    assert written == [".871", "1.000", "-.020", "+.030", "–"]
    assert number(0.9996) == "1.000"


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert markdown_table(pd.DataFrame({"a": ["x|y"], "b": [1]})).splitlines()[-1] == "| x\\|y | 1 |"
