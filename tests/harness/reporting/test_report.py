"""The report of a made-up study: what it says, what it leaves out, and that its numbers are the tables'."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.contract.files import plain_name
from harness.contract.tables import OVERLAYS
from harness.contract.types import Claim, Objective, Plan, Sample, Skip, VariantPlan
from harness.reporting.figures.pictures import overlay_figure, read_overlays
from harness.reporting.parts import Pictures
from harness.reporting.report import Material, write_report
from harness.reporting.sections.answer import answer, leaderboard, notes
from harness.reporting.sections.compared import curves_section
from harness.reporting.sections.gallery import _patched
from harness.tables.compare.claims import claims_table
from harness.tables.compare.contrasts import comparison_table
from harness.tables.markdown import markdown_table, number, p_value
from harness.tables.measure.classification_table import OF_SCORES, classification_table
from harness.tables.measure.costs import data_card, unknown_masks
from harness.tables.measure.intervals import classification_intervals
from harness.tables.measure.reliability_table import pooled_reliability, reliability_table
from harness.tables.measure.summary import over_replicates, replicates_table, variant_table
from harness.tables.terms import Tables
from tests.built_in_metrics import registry

CLASSES = ("benign", "malignant")
METRICS = registry()
LEADERBOARD, SCORED = METRICS.leaderboard, METRICS.at("tables", OF_SCORES)
CLAIMS = (
    Claim(says="GMIC sees more than a blind model", better="gmic", than="blind", metric="auroc"),
    Claim(says="a blind model sees more", better="blind", than="gmic", metric="auroc"),
)
PNG = b"\x89PNG"
VOID = {"meta", "img", "br", "hr", "link", "input"}


def plan() -> Plan:
    names = ("gmic", "gap", "blind")
    variants = [VariantPlan(name=name, id=name, tree={"model": {"crops": 6}}) for name in names]
    variants[1] = replace(variants[1], needs=("train_masks",))
    return Plan(
        study="made_up",
        study_id="0123456789abcdef",
        budget="quick",
        path=Path("studies/made_up.toml"),
        question="Which of <three>?",
        baseline="gmic",
        objective=Objective(),
        metrics=("auroc",),
        variants=tuple(variants),
        skipped=(Skip(variant="views", reason="needs views"),),
        warnings=("two variants come to the same thing",),
        search={"trials": 3, "sampler": {"use": "random"}},
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


def saved(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def statistics(predictions: pd.DataFrame, maps: pd.DataFrame | None, names: tuple[str, ...]) -> dict[str, Any]:
    """What a study's cache holds of these tables."""
    options: dict[str, Any] = {"baseline": "gmic", "order": names, "classes": CLASSES, "resamples": 100}
    return {
        "predictions": predictions,
        "variants": variant_table(Tables(predictions, maps), LEADERBOARD, **options, heads=True),
        "comparison": comparison_table(Tables(predictions, maps), LEADERBOARD, **options),
        "claims": claims_table(Tables(predictions, maps), LEADERBOARD, claims=CLAIMS, classes=CLASSES, resamples=100),
        "replicates": replicates_table(Tables(predictions, maps), METRICS.at("replicates"), classes=CLASSES),
        "classified": over_replicates(classification_table(predictions, CLASSES, SCORED)).merge(
            classification_intervals(predictions, CLASSES, SCORED, resamples=100).drop(columns="value"),
            how="left",
        ),
        "reliability": pooled_reliability(reliability_table(predictions, CLASSES)),
        "unknown_masks": unknown_masks(maps) if maps is not None else (0, 0),
        "metrics": METRICS,
        "resamples": 100,
    }


@pytest.fixture(scope="module")
def material(tables, trials: pd.DataFrame) -> Material:
    ledger = [
        {"opened": ["train", "val"], "masks": {"fit": [], "test": []}}
        if stage == "search"
        else {"opened": ["train", "val", "test"], "masks": {"fit": [], "test": ["test"]}}
        for stage in trials["stage"]
    ]
    samples = [Sample(id="1", group="p", unit="1", labels=(1.0, 0.0))]
    kept = overlays() | {"version": np.array(2), "chosen": np.array([True, True, False])}
    kept |= {"boxes": np.tile([2.0, 2, 12, 12], (3, 2, 1)), "attention": np.tile([0.25, 0.75], (3, 1))}
    kept |= {"explainers": np.array(["attention", "gradcam"]), "of_class": np.array([0, 1, -1])}
    kept |= {"explained": np.random.default_rng(1).random((2, 2, 32, 24)).astype(np.float16)}
    return Material(
        plan=plan(),
        classes=CLASSES,
        trials=trials.assign(ledger=ledger),
        **statistics(*tables, names=("gmic", "gap", "blind")),
        localised=pd.DataFrame(
            [
                {"variant": "gmic", "map": name, "class": "", "metric": "pointing", "stratum": "all"}
                | {"value": value, "std": 0.01, "replicates": 2, "n": n, "low": value - 0.125, "high": value + 0.125}
                for name, value, n in (
                    ("native", 0.625, 40.0),
                    ("control:centre", 0.375, 40.0),
                    ("control:random_weights:gradcam", 0.25, 12.0),
                )
            ]
        ),
        importance=pd.DataFrame({"variant": ["gmic"] * 2, "parameter": ["lr", "l1"], "importance": [0.8, 0.2]}).assign(
            trials=4
        ),
        sweeps={"model.crops": {"gmic": 6.0, "gap": 1.0, "blind": 2.0}},
        differs={"gap": ["model.crops = 1"]},
        card=data_card({"train": samples, "test": samples}, CLASSES),
        overlays={"gmic": kept, "gap": read_overlays(saved(overlays()))},
        assumed={"gmic": {"padding": "minimum of the image"}},
        test_openings=12,
        command="harness study run made_up --budget quick",
    )


@pytest.fixture(scope="module")
def folder(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "gallery").mkdir()
    (folder / "gallery" / "of_an_earlier_report.webp").write_bytes(b"")
    written = write_report(folder, material)
    assert all(path.exists() for path in written)
    assert [path.name for path in written[:2]] == ["report.html", "report.md"]
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "report.md").read_text()


def test_the_documentation_has_a_row_for_each_section_in_its_order(text: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "report.md").read_text()
    rows = re.findall(r"^\| (.+?) \| ", page.split("\n## ")[0], re.MULTILINE)
    sections = re.findall(r"^## (.+)", text, re.MULTILINE)
    assert rows == ["section", sections[0], "Published claims", *sections[1:]]


def test_every_table_that_the_text_names_is_written(text: str, folder: Path) -> None:
    named = re.findall(r"`(tables/\w+\.csv)`", text)
    assert named and all((folder / name).is_file() for name in named)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


class Reader(HTMLParser):
    """Notes what a page holds, and fails where its tags are not balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data


def test_a_demonstration_is_headed_as_one(text: str, page: str) -> None:
    assert text.splitlines()[0] == "# made_up: a demonstration, not a result"
    assert "<h1>made_up: a demonstration, not a result</h1>" in page


SAID = [
    "two variants come to the same thing",
    "Masks read while fitting: none.",
    "Masks read after the weights were frozen: test.",
    "Openings of the test split by this study: 0 in search, 6 for the 6 models that were tested.",
    "by all studies so far: 12.",
    "harness study run made_up --budget quick",
    "gap (fully supervised)",
    "gmic (baseline)",
    "control: centre prior",
    "control: randomised weights, gradcam",
    "Their 95 % intervals",
    "[.500, .750]",
    "At this demonstration budget, this says nothing about the methods.",
    "against the number of trials. Pruned and failed trials count",
    "Leakage and shortcuts: not checked.",
    "Not measured: the study has no [explain.faithfulness].",
    "model.crops = 1",
]


@pytest.mark.parametrize("line", SAID)
def test_both_forms_say(text: str, page: str, line: str) -> None:
    assert line in text
    assert line in Reader(page).words


@pytest.mark.parametrize(
    "line",
    [
        "Which of <three>?",
        "`views` was not run: needs views",
        "`gap`, search 2 (seed 0) failed: ValueError: loss is NaN",
        "`gmic`, padding: minimum of the image",
        "Version of the results of `mil-harness`: 0.1.0",
        "| train | 1 | 1 | 1 | 1 | 0 |",
        "| gmic | 40 | .625 ± .010 |",
    ],
)
def test_the_markdown_says(text: str, line: str) -> None:
    assert line in text


def test_what_the_user_wrote_is_escaped(page: str) -> None:
    assert "Which of &lt;three&gt;?" in page and "<three>" not in page


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    reader = Reader(page)
    sources = [attrs["src"] for _, attrs in reader.found if "src" in attrs]
    assert sources and all(source and source.startswith("data:image/") for source in sources)
    assert not {tag for tag, _ in reader.found} & {"script", "link", "iframe", "object"}
    links = [attrs["href"] for _, attrs in reader.found if "href" in attrs]
    assert all(link and link.startswith("#") for link in links)
    assert "@import" not in page and "url(" not in page


def test_every_entry_of_the_contents_leads_to_its_section(page: str) -> None:
    found = Reader(page).found
    anchors = [attrs["id"] for _, attrs in found if "id" in attrs]
    assert len(anchors) == len(set(anchors))
    assert [attrs["href"] for tag, attrs in found if tag == "a"] == [f"#{anchor}" for anchor in anchors]


def test_every_picture_is_described_in_words(page: str) -> None:
    alts = [attrs.get("alt") for tag, attrs in Reader(page).found if tag == "img"]
    assert alts and all(alt and len(alt) > 20 for alt in alts)


def test_no_cell_is_nan(page: str) -> None:
    assert not re.search(r"<td[^>]*>[^<]*\bnan\b", page)


def test_the_main_table_shows_the_numbers_of_the_csv(folder: Path, text: str) -> None:
    table = pd.read_csv(folder / "tables" / "variants.csv").query("head == 'output'")
    assert table["variant"].tolist() == ["gmic", "gap", "blind"]
    for row in table.to_dict("records"):
        assert f"{number(row['auroc'])} ± {number(row['auroc_std'])}" in text
        assert f"[{number(row['auroc_low'])}, {number(row['auroc_high'])}]" in text
    assert number(table.set_index("variant").loc["gap", "auroc_difference"], signed=True) in text


def test_the_answer_follows_from_the_comparison(material: Material, text: str) -> None:
    assert material.comparison is not None
    rows = material.comparison.set_index("variant")
    best = rows["auroc"].idxmax()
    answer = next(line for line in text.splitlines() if line.startswith("**"))
    assert f"`{best}` has the highest test AUC, {number(rows.loc[best, 'auroc'])}" in answer
    separated = rows[~rows["tied"].astype(bool)]
    assert (f"of the other 2, {2 - len(separated)}" in answer.lower()) == (0 < len(separated) < 2)
    for name, row in rows.drop("gmic").iterrows():
        differs = row["auroc_p_holm"] < 0.05
        assert (f"`{name}` ({number(row['auroc_difference'], signed=True)})" in answer) == differs
        assert p_value(row["auroc_p_holm"]) in text


def test_each_published_claim_is_listed_with_its_verdict(folder: Path, text: str) -> None:
    kept = pd.read_csv(folder / "tables" / "claims.csv")
    assert kept["verdict"].tolist() == ["supported", "contradicted"]
    for claim, verdict in zip(CLAIMS, kept["verdict"], strict=True):
        assert f"| {claim.says} | {verdict} |" in text


def test_lesions_without_an_outline_are_counted(tables, text: str) -> None:
    lesions = tables[1].query("variant == 'gmic' and seed == 0 and label == 1")
    unknown = int((lesions["id"] == "i5").sum())
    assert unknown and f"{unknown} of {len(lesions)} lesions (image and class) have no known outline" in text


def test_pictures_are_there_and_old_ones_gone(folder: Path) -> None:
    for name in ("difference_auroc", "auroc_against_model.crops", "roc_benign", "precision_benign", "importance"):
        assert b"<svg" in (folder / "figures" / f"{name}.svg").read_bytes()
    panels = {path.name for path in (folder / "gallery").iterdir()}
    assert f"{plain_name('class 0')}-hit-1-patches.webp" in panels and "every-1-gap.webp" in panels
    assert "of_an_earlier_report.webp" not in panels


def test_what_explainers_make_of_an_image_is_side_by_side(folder: Path, text: str) -> None:
    maps = [plain_name(name) for name in ("own saliency map", "attention", "gradcam")]
    expected = {f"explained-{image}-gmic-{name}.webp" for image in (1, 2) for name in maps}
    assert {path.name for path in (folder / "gallery").glob("explained-*")} == expected
    assert "Test image image 1 under the gradcam of gmic for class 1" in text


def test_variants_that_kept_other_images_are_left_out_of_the_explainers(material: Material, tmp_path: Path) -> None:
    kept = material.overlays["gmic"]
    other = {**kept, "ids": np.array(["of", "another", "fold"])}
    write_report(tmp_path, replace(material, overlays={"gmic": kept, "gap": other}))
    assert {path.name.split("-")[2] for path in (tmp_path / "gallery").glob("explained-*")} == {"gmic"}


def test_maps_that_are_missing_have_their_reason_in_the_report(material: Material, tmp_path: Path) -> None:
    lost = {"gmic, map edges": "explainer 'edges' (acme-parts 1.2) gave a map that is not finite"}
    write_report(tmp_path, replace(material, left_out=lost))
    assert "Missing: gmic, map edges: explainer 'edges' (acme-parts 1.2) gave" in (tmp_path / "report.md").read_text()


def test_many_patches_are_coloured_by_their_attention_and_few_are_framed() -> None:
    base, size = np.full((40, 40, 3), 128, np.uint8), (20, 20)
    boxes = np.array([[x, y, x + 2.0, y + 2.0] for y in range(0, 20, 2) for x in range(0, 20, 2)])
    weights = np.zeros(100)
    weights[11] = 1.0
    seen = _patched(base, boxes, weights, size)
    assert np.argwhere((seen != base).any(2)).tolist() == [[y, x] for y in range(4, 8) for x in range(4, 8)]
    assert (_patched(base, boxes[:4], weights[:4], size) != base)[:8].any()


def test_every_link_of_the_markdown_leads_somewhere(folder: Path, text: str) -> None:
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert links and all((folder / link).exists() for link in links)


def test_nothing_confirmed_is_said_in_every_section_and_not_an_error(trials: pd.DataFrame, tmp_path: Path) -> None:
    searched = trials[trials["stage"] == "search"].assign(state="failed", value=np.nan)
    write_report(tmp_path, Material(plan=plan(), classes=CLASSES, trials=searched))
    text = (tmp_path / "report.md").read_text()
    assert "No variant was confirmed" in text and "The trials kept no ledger." in text
    sections = text.split("\n## ")[1:]
    assert len(sections) == 17 and all(len(section.split("\n", 1)[1].strip()) > 5 for section in sections)
    assert "<img" not in (tmp_path / "report.html").read_text()


def test_a_table_without_rows_has_no_file(trials: pd.DataFrame, tmp_path: Path) -> None:
    """As of a study of tables, which searches nothing; what an earlier report left there goes."""
    kept = tmp_path / "tables" / "search.csv"
    kept.parent.mkdir()
    kept.write_text("of an earlier report")
    tables = replace(plan(), variants=(VariantPlan(name="gmic", id="gmic", tree={"external": {}}),), skipped=())
    written = write_report(tmp_path, Material(plan=tables, classes=CLASSES, trials=trials.iloc[:0]))
    assert not kept.exists()
    assert all(len(pd.read_csv(path)) for path in written if path.suffix == ".csv")


def test_one_variant_with_one_seed_has_no_spread_and_no_difference(tables, trials, tmp_path: Path) -> None:
    alone = replace(plan(), variants=plan().variants[:1], demonstration=False)
    predictions = tables[0].query("variant == 'gmic' and seed == 0")
    found = Material(plan=alone, classes=CLASSES, trials=trials, **statistics(predictions, None, ("gmic",)))
    write_report(tmp_path, found)
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# made_up\n") and "nan " not in text
    assert "It is the only variant" in text and "There is no difference to show." in text
    assert not (tmp_path / "figures" / "difference_auroc.svg").exists()
    assert "No variant has a Dice" in text


def test_the_answer_warns_where_models_trained_again_differ_more_than_variants(material: Material) -> None:
    own = material.own
    assert own is not None
    wide, narrow = (answer(material, own.assign(auroc_std=spread)) for spread in (0.5, 0.0))
    assert any("trained again, AUCs spread by up to ±.500, and for 2 of 2 trained variants" in line for line in wide)
    assert not any("trained again" in line for line in narrow)


@pytest.mark.parametrize(
    ("confirm", "said"),
    [
        ({"seeds": [0], "folds": 5}, "fixed: trained and tested on other folds, AUCs"),
        ({"seeds": [0, 1], "folds": 5}, "fixed: trained again, and on other folds, AUCs"),
    ],
)
def test_the_warning_names_what_the_spread_is_over(material: Material, confirm: dict[str, Any], said: str) -> None:
    own = material.own
    assert own is not None
    found = answer(replace(material, plan=replace(plan(), confirm=confirm)), own.assign(auroc_std=0.5))
    assert any(said in line for line in found)


def test_readers_are_not_trained_again_and_their_interval_says_so(material: Material) -> None:
    """A spread over readers is no spread over seeds, however large."""
    read = VariantPlan(name="gap", id="gap", tree={"external": {}}, facts={"readers": 14})
    variants = (*plan().variants[:1], read, *plan().variants[2:])
    own = material.own
    assert own is not None
    wide = own.assign(auroc_std=[0.5 if name == "gap" else 0.0 for name in own["variant"]])
    mixed = replace(material, plan=replace(plan(), variants=variants))
    assert not any("±.500" in line for line in answer(mixed, wide))
    held = next(line for line in notes(mixed, own) if line.startswith("`gap`: the mean over readers"))
    assert "hold these readers fixed" in held
    systems = tuple(replace(item, tree={"external": {}}) for item in plan().variants)
    alone = replace(material, plan=replace(plan(), variants=systems))
    assert not any("trained" in line for line in answer(alone, wide))
    told = " ".join(notes(alone, own))
    assert "nothing was trained" in told and "seeds" not in told and "trained models" not in told


def test_every_external_table_is_drawn_with_readers_and_six_variants_without(material: Material) -> None:
    """Nine systems: the tenth variant is a family of readers, which has points and no curve."""
    rows = material.predictions
    assert rows is not None and material.own is not None
    base = rows[(rows["variant"] == "gmic") & (rows["seed"] == 0)]
    names = ["gmic", *(f"system{place}" for place in range(8)), "readers"]
    many = pd.concat([base.assign(variant=name) for name in names])
    table = pd.concat([material.own[material.own["variant"] == "gmic"].assign(variant=name) for name in names])
    for facts, drawn in (({"readers": 2}, names[:9]), ({}, names[:6])):
        found = [VariantPlan(name=name, id=name, tree={"external": {}}) for name in names]
        found[-1] = replace(found[-1], facts=facts)
        own = replace(plan(), variants=tuple(found))
        made = replace(material, plan=own, predictions=many, variants=table, comparison=None)
        picture = next(
            item for part in curves_section(made).parts if isinstance(part, Pictures) for item in part.pictures
        )
        assert [name for name in names if f"{name} ." in picture.alt.split(", and operating")[0]] == drawn
        looks = [
            look for look in re.findall(r'style="fill: none; stroke[^"]*"', picture.data.decode()) if "1.5" in look
        ]
        assert len(set(looks)) == len(drawn)


def test_what_cannot_be_tested_is_neither_tied_nor_separated(material: Material) -> None:
    own = material.own
    assert own is not None
    reason = "zero variance: made up"
    own = own.assign(tied=pd.array([True, None, False], dtype="boolean"), tied_untested=["", reason, ""])
    own = own.assign(auroc_untested=["", reason, ""])
    names = own["variant"].tolist()
    said = " ".join(answer(material, own))
    assert f"`{names[1]}` cannot be tested against it ({reason})." in said
    assert "It is separated from the other 1 that can be tested." in said
    assert leaderboard(material, own)["tied with best"].tolist() == ["=", "cannot be tested", ""]
    assert any(line == f"No p-value against `gmic` for `{names[1]}`: {reason}." for line in notes(material, own))


def test_resamples_without_a_value_are_reported_from_one_in_a_hundred_on(material: Material) -> None:
    own = material.own
    assert own is not None
    said = [[line for line in notes(material, own.assign(auroc_undefined=share)) if "Resamples without" in line]
            for share in (0.005, 0.04)]  # fmt: skip
    assert not said[0] and "`gmic` 4 %" in said[1][0]


def test_several_images_of_a_unit_get_a_table_of_units(tables, material: Material, tmp_path: Path) -> None:
    order = ("gmic", "gap", "blind")
    views = tables[0].assign(unit=tables[0]["group"])
    units = variant_table(
        Tables(predictions=views), baseline="gmic", order=order, classes=CLASSES, unit=True, resamples=50
    )
    write_report(tmp_path, replace(material, units=units))
    assert "### By unit of diagnosis" in (tmp_path / "report.md").read_text()
    assert list(pd.read_csv(tmp_path / "tables" / "units.csv")["auroc"]) == pytest.approx(list(units["auroc"]))


@pytest.mark.parametrize(("classes", "images", "colour"), [(1, 1, False), (2, 5, False), (3, 2, True)])
def test_overlays_of_any_number_of_classes_are_drawn(classes: int, images: int, colour: bool) -> None:
    assert overlay_figure(overlays(classes, images, colour), "title").startswith(PNG)


def test_overlays_of_all_versions_come_back_from_their_file() -> None:
    first = read_overlays(saved(overlays()))
    assert set(first) == {*OVERLAYS, "version", "chosen"}
    assert int(first["version"]) == 1 and first["chosen"].all()
    second = overlays() | {"version": np.array(2), "chosen": np.zeros(3, bool), "boxes": np.zeros((3, 2, 4))}
    assert set(read_overlays(saved(second))) == set(second)
    third = second | {"version": np.array(3), "explainers": np.array(["a"]), "of_class": np.zeros(3, int)}
    assert set(read_overlays(saved(third))) == set(third)
    with pytest.raises(ValueError, match="version 4, this harness reads up to 3"):
        read_overlays(saved(second | {"version": np.array(4)}))
    arrays = overlays()
    del arrays["scores"]
    with pytest.raises(ValueError, match="has no scores"):
        read_overlays(saved(arrays))


def test_numbers_drop_their_leading_zero_and_keep_their_sign() -> None:
    written = [number(0.8714), number(1.0), number(-0.0204, signed=True), number(0.03, signed=True), number(np.nan)]
    assert written == [".871", "1.000", "-.020", "+.030", "–"]
    assert number(0.9996) == "1.000"


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert markdown_table(pd.DataFrame({"a": ["x|y"], "b": [1]})).splitlines()[-1] == "| x\\|y | 1 |"
