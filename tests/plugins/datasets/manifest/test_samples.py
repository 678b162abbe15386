"""`manifest` whose samples hold several images: bags, and breasts with both views of both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import harness_datasets
from harness import InputError
from harness.audit.datacheck import full_check
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.testing import laws_for
from harness.trial.data.cache import Cache
from harness_datasets.manifest.component import build_manifest
from harness_datasets.manifest.task import manifest_task
from harness_datasets.shared.breasts import exam_task
from tests.plugins.datasets.manifest import samples as wholes

COMMON = {"path": "set/table.csv", "labels": ("a", "b"), "image_size": (60, 44)}
EXAMS = {**COMMON, "exam": "patient_id", "side": "side", "view": "view"}
BAGS = {**COMMON, "bag": "slide"}


@pytest.fixture(autouse=True)
def _own_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))


test_laws_of_exams = laws_for(
    harness_datasets,
    only=("manifest",),
    params={**EXAMS, "preprocess": "mammogram"},
    files=lambda root: wholes.write(root / "set", wholes.exam_rows()),
)
test_laws_of_bags = laws_for(
    harness_datasets, only=("manifest",), params=BAGS, files=lambda root: wholes.write(root / "set", wholes.bag_rows())
)


def parameters(table):
    catalog, problems = Catalog(), Problems("")
    catalog.register(harness_datasets)
    made = catalog.factory("dataset", {"use": "manifest", **table}, problems, "dataset")
    problems.raise_if_any()
    return made.params


def exams(root, rows=None, **changed):
    wholes.write(root / "set", wholes.exam_rows() if rows is None else rows)
    return build_manifest(root, **{**EXAMS, **changed})


def bags(root, rows=None, **changed):
    wholes.write(root / "set", wholes.bag_rows() if rows is None else rows)
    return build_manifest(root, **{**BAGS, **changed})


def mistakes(make, root, rows, **changed):
    with pytest.raises(InputError) as caught:
        make(root, rows, **changed)
    place = f"{root / 'set' / 'table.csv'}: "
    return [line.removeprefix(place) for line in str(caught.value).splitlines()]


def everything(dataset):
    return {sample.id: sample for name in ("train", "val", "test") for sample in dataset.split(name)}


def stored(name):
    return np.asarray(Image.fromarray(wholes.picture(f"images/{name}.png")))


def test_a_breast_is_read_with_its_own_views_first(tmp_path):
    dataset = exams(tmp_path)
    samples = everything(dataset)
    assert len(samples) == 12 * 2 - 2, "no sample for a breast without an image"
    sample = samples["p0-R"]
    assert (sample.unit, sample.group, sample.labels) == ("p0-R", "p0", (1.0, 0.0))
    assert samples["p0-L"].labels == (0.0, 0.0)
    for image, name in zip(dataset.read(sample), ("R-CC", "R-MLO", "L-CC", "L-MLO"), strict=True):
        expected = stored(f"p0-{name}")
        np.testing.assert_array_equal(image, expected[:, ::-1] if name[0] == "R" else expected)


def test_views_that_are_missing_are_none_and_a_single_one_will_do(tmp_path):
    dataset = exams(tmp_path)
    samples = everything(dataset)
    there = {name: [image is not None for image in dataset.read(samples[name])] for name in ("p1-L", "p2-L", "p3-R")}
    assert there == {
        "p1-L": [True, False, False, False],
        "p2-L": [True, True, False, False],
        "p3-R": [True, False, True, True],
    }
    assert samples["p3-R"].source == {"rows": [11, None, 9, 10]}


def test_prepared_exams_have_all_breasts_facing_right(tmp_path):
    dataset = exams(tmp_path, preprocess="mammogram")
    for image in dataset.read(everything(dataset)["p0-R"]):
        half = image.shape[1] // 2
        assert (image[:, :half] > 0).sum() > 1.2 * (image[:, half:] > 0).sum()


def test_the_task_is_that_of_the_phantoms_exams():
    task = manifest_task(**parameters(EXAMS))
    phantom = exam_task(image_size=(60, 44))
    assert (task.sample, task.views, task.unit) == (phantom.sample, phantom.views, phantom.unit)
    bag = manifest_task(**parameters(BAGS))
    assert bag.sample == bag.unit == "bag"


def test_exams_of_one_patient_are_kept_apart(tmp_path):
    rows = wholes.exam_rows()
    later = [{**row, "image": row["image"].replace("p0", "p0later"), "exam_id": "e0later"} for row in rows[:4]]
    samples = everything(exams(tmp_path, [*rows, *later], exam="exam_id", unit="breast"))
    assert {samples[name].group for name in ("e0-L", "e0later-L")} == {"p0"}
    assert samples["e0-R"].unit == "p0_R" and samples["e0later-L"].source == {"rows": [44, 45, 46, 47]}


def test_what_a_row_leaves_empty_another_may_say(tmp_path):
    rows = wholes.exam_rows()
    rows[0]["label_a"], rows[0]["label_b"], rows[1]["label_b"] = "", "", ""
    left = everything(exams(tmp_path, rows))["p0-L"]
    assert left.labels[0] == 0.0 and math.isnan(left.labels[1])


def test_contradictions_within_a_breast_are_told_with_both_rows(tmp_path):
    rows = wholes.exam_rows()
    rows[1]["label_a"], rows[2]["split"] = "1", "val"
    rows[3]["breast"] = "p0-L"
    told = mistakes(exams, tmp_path, rows, unit="breast")
    assert told == [
        "row 3: label_a: 1, but breast 'p0-L' has 0 in row 2",
        "row 5: split: 'train', but breast 'p0-R' has 'val' in row 4",
        "row 5: breast: 'p0-L', but breast 'p0-R' has 'p0_R' in row 4",
    ]


def test_breasts_of_a_patient_in_two_splits_are_told(tmp_path):
    rows = wholes.exam_rows()
    rows[2]["split"] = rows[3]["split"] = "val"
    assert mistakes(exams, tmp_path, rows) == ["row 4: patient_id: 'p0' is in val, and in train by row 2"]


def test_an_exam_of_two_patients_is_told_with_both_rows(tmp_path):
    rows = wholes.exam_rows()
    rows[4]["exam_id"] = "e0"
    told = mistakes(exams, tmp_path, rows, exam="exam_id")
    assert "row 6: patient_id: 'p1', but exam 'e0' has 'p0' in row 2" in told


def test_two_images_of_one_view_are_told_with_both_rows(tmp_path):
    rows = wholes.exam_rows()
    rows.append({**rows[1], "image": "images/again.png"})
    told = mistakes(exams, tmp_path, rows)
    assert told == ["row 44: view: L MLO of exam 'p0' is in row 3 already; an exam has one of each view"]


def test_sides_and_views_that_are_unknown_or_missing_are_told_with_their_row(tmp_path):
    rows = wholes.exam_rows()
    rows[0]["side"], rows[1]["view"], rows[2]["patient_id"] = "X", "XCCL", ""
    assert mistakes(exams, tmp_path, rows) == [
        "row 2: side: L or R expected, but got 'X'",
        "row 3: view: CC or MLO expected, but got 'XCCL'",
        "row 4: patient_id: is empty",
    ]
    rows = wholes.exam_rows()
    rows[0]["side"], rows[1]["view"] = "", ""
    assert mistakes(exams, tmp_path, rows) == [
        "row 2: side: is empty: L or R expected of an image of an exam",
        "row 3: view: is empty: CC or MLO expected of an image of an exam",
    ]


def test_columns_that_the_table_lacks_suggest_the_nearest(tmp_path):
    told = mistakes(exams, tmp_path, None, exam="exam", side="sid", view="veiw")
    assert told == [
        "no column named 'sid'; did you mean 'side'?",
        "no column named 'veiw'; did you mean 'view'?",
        "no column named 'exam'; did you mean 'exam_id'?",
    ]
    assert mistakes(bags, tmp_path, None, bag="slides") == ["no column named 'slides'; did you mean 'slide'?"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"side": ""}, "exam: `side` and `view` must name their columns"),
        ({"bag": "breast"}, "bag, exam: a sample is a bag or a breast of an exam, not both"),
        ({"mask_kind": "outline"}, "mask_kind: masks belong to single images"),
        ({"unseen": True}, "unseen: new images are single ones"),
        ({"flipped": "side"}, 'flipped and window_px are for preprocess = "mammogram"'),
    ],
)
def test_parameters_that_do_not_go_together_are_told(tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        exams(tmp_path, **changed)


def test_a_bag_is_its_images_in_the_order_of_the_table(tmp_path):
    rows = wholes.bag_rows()
    dataset = bags(tmp_path, rows[::-1])
    samples = everything(dataset)
    assert list(samples)[0] == "b3" and len(samples) == 12
    assert {name: len(dataset.read(samples[name])) for name in ("b0", "b4", "b3")} == {"b0": 1, "b4": 1, "b3": 4}
    expected = np.stack([stored(f"b3-{place}") for place in (3, 2, 1, 0)])
    np.testing.assert_array_equal(dataset.read(samples["b3"]), expected)
    assert (samples["b3"].unit, samples["b3"].group, samples["b3"].labels) == ("b3", "p1", (1.0, 1.0))


def test_contradictions_within_a_bag_are_told_with_both_rows(tmp_path):
    rows = wholes.bag_rows()
    rows[2].update(label_b="1", patient_id="p7")
    rows[4]["slide"] = ""
    assert mistakes(bags, tmp_path, rows) == ["row 6: slide: is empty"]
    rows[4]["slide"] = "b2"
    assert mistakes(bags, tmp_path, rows) == [
        "row 4: patient_id: 'p7', but bag 'b1' has 'p0' in row 3",
        "row 4: label_b: 1, but bag 'b1' has 0 in row 3",
    ]


def test_a_bag_of_two_classes_is_told_where_one_must_hold(tmp_path):
    rows = [{**row, "label_b": str(1 - int(row["label_a"]))} for row in wholes.bag_rows()]
    assert bags(tmp_path, rows, kind="multiclass").task.kind == "multiclass"
    rows[0]["label_b"] = rows[0]["label_a"]
    (told,) = mistakes(bags, tmp_path, rows, kind="multiclass")
    assert told.startswith('row 2: kind = "multiclass" expects exactly one label')


def test_images_of_a_bag_that_cannot_be_read_are_told_with_their_row(tmp_path):
    dataset = bags(tmp_path)
    dataset.split("train")
    path = tmp_path / "set" / "images" / "b1-1.png"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"row 4: set/images/b1-1\.png cannot be read"):
        dataset.read(everything(dataset)["b1"])
    path.unlink()
    with pytest.raises(InputError, match=r"row 4: no such file: set/images/b1-1\.png$"):
        build_manifest(tmp_path, **BAGS)


def test_bags_and_breasts_are_dealt_out_whole_and_by_patient(tmp_path):
    for make, count in ((bags, 12), (exams, 22)):
        dataset = make(tmp_path / make.__name__, folds=3, fold=1)
        homes = {name: {sample.group for sample in dataset.split(name)} for name in ("train", "val", "test")}
        assert not homes["train"] & homes["test"] and not homes["val"] & (homes["train"] | homes["test"])
        assert len(everything(dataset)) == count


def test_the_digest_follows_who_belongs_to_whom_and_which_view_is_which(tmp_path):
    found = [exams(tmp_path).digest, build_manifest(tmp_path, **COMMON).digest]
    rows = wholes.exam_rows()
    rows[0]["view"], rows[1]["view"] = "MLO", "CC"
    found.append(exams(tmp_path, rows).digest)
    found.append(bags(tmp_path / "bags").digest)
    rows = wholes.bag_rows()
    rows[1], rows[2] = rows[2], rows[1]
    found.append(bags(tmp_path / "bags", rows).digest)
    assert len(set(found)) == len(found)
    assert exams(tmp_path).digest == found[0]


def test_metadata_are_what_the_images_have_in_common_and_their_number(tmp_path):
    dataset = exams(tmp_path)
    samples = everything(dataset)
    known = dataset.metadata(samples["p3-R"])
    assert (known["side"], known["view"], known["scanner"], known["dose"]) == ("R", "CC", "B", 1.5)
    assert (known["file count"], known["file height"]) == (3.0, 60.0)
    known = dataset.metadata(samples["p0-L"])
    assert (known["view"], known["scanner"], known["dose"], known["file count"]) == ("", "", 2.0, 4.0)
    assert "patient_id" not in known and "split" not in known
    dataset = bags(tmp_path / "bags")
    known = dataset.metadata(everything(dataset)["b3"])
    assert (known["dose"], known["file count"]) == (4.5, 4.0) and "slide" not in known


def test_a_full_check_of_the_users_bags_finds_an_image_in_two_splits(tmp_path):
    rows = wholes.bag_rows()
    wholes.write(tmp_path / "data" / "set", rows)
    images = tmp_path / "data" / "set" / "images"
    (images / "b11-0.png").write_bytes((images / "b0-0.png").read_bytes())
    found = full_check(Cache.ensure(build_manifest(tmp_path / "data", **BAGS), tmp_path / "cache"))
    assert [item.number for item in found.findings if item.verdict == "leak"] == [1]
