"""`manifest`: what a right table gives, and what it says of a wrong one."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.contract.errors import InputError
from harness.trial.data.cache import Cache
from harness.trial.data.fence import SealedFile, sealed
from harness.trial.data.stage import seal_of
from tests.plugins.datasets.manifest.tables import COLUMNS, build, draw, rows, write


@pytest.fixture(autouse=True)
def _own_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))


def mistakes(root, **changed):
    with pytest.raises(InputError) as caught:
        assert build(root, **changed).digest
    return str(caught.value).splitlines()


def test_a_table_becomes_samples_in_its_order(tmp_path):
    table = rows()
    table[0]["label_b"] = ""
    table[1]["label_b"], table[2]["label_b"] = "1.0", "0.0"
    write(tmp_path, table)
    train = build(tmp_path).split("train")
    assert [sample.id for sample in train] == [f"images/{n}.png" for n in range(4)]
    assert [sample.group for sample in train] == ["p0", "p0", "p1", "p1"]
    assert math.isnan(train[0].labels[1]) and train[1].labels == (0.0, 1.0)
    assert train[0].source == {"row": 2, "size": [30, 20]} and train[0].unit == train[0].id
    assert build(tmp_path).split("tune_loc") == ()


def test_id_and_unit_may_have_columns_of_their_own(tmp_path):
    table = [{**row, "name": f"n{i}", "breast": row["patient_id"] + "L"} for i, row in enumerate(rows())]
    write(tmp_path, table, columns=[*COLUMNS, "name", "breast"])
    dataset = build(tmp_path, id="name", unit="breast")
    assert dataset.split("train")[1].id == "n1" and dataset.split("train")[1].unit == "p0L"
    assert dataset.task.unit == "breast"


def test_a_parquet_table_is_the_same_data_set(tmp_path):
    import pandas as pd

    path = write(tmp_path, rows())
    frame = pd.read_csv(path)
    frame.to_parquet(tmp_path / "set" / "table.parquet")
    one, other = build(tmp_path), build(tmp_path, path="set/table.parquet")
    assert one.digest == other.digest


def test_every_mistake_is_told_at_once_with_its_row_and_column(tmp_path):
    table = rows()
    table[0]["image"] = "../../etc/passwd"
    table[1]["label_a"] = "2"
    table[2]["image"] = "images/3.png"
    table[4]["patient_id"] = "p0"
    table[5]["split"] = "valid"
    table[6]["patient_id"] = ""
    path = write(tmp_path, table)
    (path.parent / "images/9.png").unlink()
    told = "\n".join(mistakes(tmp_path))
    where = f"{tmp_path}/set/table.csv: row"
    assert f"{where} 2: image: '../../etc/passwd' climbs out of the data root" in told
    assert f"{where} 3: label_a: 0, 1 or nothing expected, but got '2'" in told
    assert f"{where} 5: image: 'images/3.png' is in row 4 already" in told
    assert f"{where} 6: patient_id: 'p0' is in val, and in train by row 2" in told
    assert f"{where} 7: split: one of train, val, tune_loc, test expected, but got 'valid'" in told
    assert f"{where} 8: patient_id: is empty" in told
    assert f"{where} 11: no such file: set/images/9.png" in told
    assert len(told.splitlines()) == 7


def test_parameters_that_cannot_be_are_all_told_before_the_table_is_opened(tmp_path):
    assert mistakes(tmp_path, labels=("a", "a", ""), image_size=(0, 16), flipped="mirrored") == [
        "dataset manifest: labels: 'a' is named twice",
        "dataset manifest: labels: a name is empty in ['a', 'a', '']",
        "dataset manifest: image_size: at least 1 pixel high and wide, not [0, 16]",
        "dataset manifest: flipped: says what a side means, so `side` must name its column too",
        'dataset manifest: side, view, flipped and window_px are for preprocess = "mammogram"',
    ]
    assert mistakes(tmp_path, labels=())[0].startswith("dataset manifest: labels: at least one name expected")


def test_a_table_without_patients_hears_which_parameter_names_their_column(tmp_path):
    write(tmp_path, rows(), columns=[column for column in COLUMNS if column != "patient_id"])
    (told,) = mistakes(tmp_path)
    assert "no column named 'patient_id'" in told
    assert told.endswith("`group` names that column; the table has image, label_a, label_b, mask_a, view, split")


def test_a_patient_in_two_splits_is_named_with_both_rows(tmp_path):
    table = rows()
    table[4]["patient_id"] = "p0"
    write(tmp_path, table)
    assert mistakes(tmp_path) == [f"{tmp_path}/set/table.csv: row 6: patient_id: 'p0' is in val, and in train by row 2"]


def test_an_unknown_split_suggests_the_nearest(tmp_path):
    table = rows()
    table[5]["split"] = "tests"
    write(tmp_path, table)
    assert (
        "row 7: split: one of train, val, tune_loc, test expected, but got 'tests'; did you mean 'test'?"
        in "\n".join(mistakes(tmp_path))
    )


def test_a_class_absent_from_a_split_is_named(tmp_path):
    table = rows()
    for row in table[8:]:
        row["label_a"] = "0"
        row["mask_a"] = ""
    write(tmp_path, table)
    assert mistakes(tmp_path) == [f"{tmp_path}/set/table.csv: split 'test' has no row where label_a is 1"]


def test_an_image_that_cannot_be_reached_is_named_with_its_row(tmp_path):
    path = write(tmp_path, rows())
    path.write_text(path.read_text().replace("images/3.png", "images/" + "x" * 300))
    (told,) = mistakes(tmp_path)
    assert told.startswith(f"{path}: row 5: set/images/xxx") and told.endswith("cannot be read: File name too long")


def test_missing_images_are_all_named(tmp_path):
    path = write(tmp_path, rows())
    (path.parent / "images/3.png").unlink()
    (path.parent / "masks/6.png").unlink()
    assert mistakes(tmp_path) == [
        f"{path}: row 5: no such file: set/images/3.png",
        f"{path}: row 8: no such file: set/masks/6.png",
    ]


def test_a_mask_of_another_size_than_its_image_is_named(tmp_path):
    path = write(tmp_path, rows())
    (path.parent / "masks/3.png").unlink()
    draw(path.parent, "masks/3.png", "mask", (20, 30))
    assert mistakes(tmp_path) == [
        f"{path}: row 5: mask set/masks/3.png is 20 x 30, its image 30 x 20: "
        "turned by 90 degrees (EXIF orientation 1, its image 1)"
    ]


def test_a_file_that_is_no_image_is_named_before_anything_is_decoded(tmp_path):
    path = write(tmp_path, rows())
    (path.parent / "images/5.png").write_bytes(b"not an image")
    (told,) = mistakes(tmp_path)
    assert told == f"{path}: row 7: set/images/5.png cannot be read: no image that is known begins with b'not an i'"


def test_truncated_images_are_named_by_the_cache_all_and_by_read_one(tmp_path):
    path = write(tmp_path, rows())
    for number in (1, 4):
        image = path.parent / f"images/{number}.png"
        image.write_bytes(image.read_bytes()[:300])
    dataset = build(tmp_path)
    with pytest.raises(InputError) as caught:
        Cache.ensure(dataset, tmp_path / "cache")
    assert [line.split(" cannot")[0] for line in str(caught.value).splitlines()] == [
        f"{path}: row 3: set/images/1.png",
        f"{path}: row 6: set/images/4.png",
    ]
    with pytest.raises(InputError, match=r"row 3: set/images/1.png cannot be read: .*truncated"):
        dataset.read(dataset.split("train")[1])


@pytest.mark.parametrize("path", ["../table.csv", "/etc/passwd", "set/../../table.csv", ""])
def test_a_table_outside_the_data_root_is_refused(tmp_path, path):
    with pytest.raises(InputError, match="climbs out of the data root"):
        build(tmp_path, path=path)


def test_a_missing_table_or_column_suggests_the_nearest(tmp_path):
    write(tmp_path, rows())
    with pytest.raises(InputError, match=r"no such file; did you mean 'table.csv'\?"):
        build(tmp_path, path="set/tabel.csv")
    told = "\n".join(mistakes(tmp_path, labels=("a", "bb"), group="patient"))
    assert "no column named 'patient'; did you mean 'patient_id'?" in told
    assert "no column named 'label_bb'; did you mean 'label_b'?" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"image;patient_id\n1.png;a\n", "separated by semicolons, and commas are expected"),
        (b"image\tpatient_id\n1.png\ta\n", "separated by tabs, and commas are expected"),
        ("image,patient_id\n1.png,Müller\n".encode("latin-1"), "save it as UTF-8"),
        ("image,patient_id\n1.png,a\n".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_another_separator_or_encoding_is_named(tmp_path, content: bytes, told: str):
    path = write(tmp_path, rows())
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        build(tmp_path)


def test_a_ragged_or_empty_table_is_refused(tmp_path):
    path = write(tmp_path, rows())
    path.write_text(path.read_text() + "only,three,cells\n")
    with pytest.raises(InputError, match="row 14 has 3 cells, the header 7"):
        build(tmp_path)
    path.write_text("image,patient_id\n")
    with pytest.raises(InputError, match="has no rows"):
        build(tmp_path)


def test_rows_that_where_leaves_out_are_not_looked_at(tmp_path):
    table = rows(24)
    table[3].update(image="nowhere.png", label_a="7", view="bad")
    path = write(tmp_path, table)
    (path.parent / "nowhere.png").unlink()
    dataset = build(tmp_path, where='view != "bad"')
    assert sum(len(dataset.split(name)) for name in ("train", "val", "test")) == 23
    assert dataset.digest != build(tmp_path, where='view != "bad" and image != "images/5.png"').digest


def test_more_than_one_label_of_a_multiclass_row_is_refused(tmp_path):
    table = rows()
    table[3].update(label_a="1", label_b="1")
    write(
        tmp_path, [{**row, "label_b": str(1 - int(row["label_a"]))} if n != 3 else row for n, row in enumerate(table)]
    )
    told = mistakes(tmp_path, kind="multiclass", mask_kind="none")
    assert len(told) == 1 and "row 5" in told[0] and "exactly one label" in told[0]


def test_the_digest_follows_content_and_parameters_and_nothing_else(tmp_path):
    path = write(tmp_path, rows())
    first = build(tmp_path).digest
    os.utime(path.parent / "images/0.png", (1, 1))
    (path.parent / "unrelated.txt").write_text("x")
    assert build(tmp_path).digest == first
    assert len({first, build(tmp_path, image_size=(20, 20)).digest, build(tmp_path, fit="pad").digest}) == 3
    Image.new("L", (20, 30), 7).save(path.parent / "images/0.png")
    second = build(tmp_path).digest
    Image.new("1", (20, 30), 1).save(path.parent / "masks/2.png")
    assert len({first, second, build(tmp_path).digest}) == 3


def test_files_that_did_not_change_are_not_read_again(tmp_path, monkeypatch):
    write(tmp_path, rows())
    first = build(tmp_path).digest
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read again"))
    assert build(tmp_path).digest == first


@pytest.mark.parametrize("how", ["written over", "replaced"])
def test_a_corrected_picture_of_equal_length_and_time_is_noticed(tmp_path, how):
    path = write(tmp_path, rows())
    image = path.parent / "images/0.bmp"
    table = [{**row, "image": "images/0.bmp"} if row["image"] == "images/0.png" else row for row in rows()]

    def put(value: int) -> None:
        target = image if how == "written over" else image.with_suffix(".new")
        Image.new("L", (20, 30), value).save(target, "BMP")
        os.utime(target, (946684800, 946684800))
        target.replace(image)

    put(7)
    write(tmp_path, table)
    first, old = build(tmp_path), image.stat()
    assert (first.read(first.split("train")[0]) == 7).all() and first.digest
    put(99)
    assert (image.stat().st_size, image.stat().st_mtime_ns) == (old.st_size, old.st_mtime_ns)
    second = build(tmp_path)
    assert second.digest != first.digest and (second.read(second.split("train")[0]) == 99).all()


def test_training_samples_know_no_mask_and_mask_files_names_them_all(tmp_path):
    write(tmp_path, rows())
    dataset = build(tmp_path)
    assert {path.name for path in dataset.mask_files()} == {f"{n}.png" for n in range(12) if n // 2 % 2}
    assert set(dataset.split("train")[2].source) == {"row", "size"}
    assert build(tmp_path, mask_kind="none").mask_files() == ()
    assert build(tmp_path, mask_kind="none").read_mask(dataset.split("train")[2]) is None


def test_the_table_and_the_masks_are_sealed_while_a_model_is_fitted(tmp_path):
    write(tmp_path, rows())
    dataset = build(tmp_path)
    seal = seal_of(Cache.ensure(dataset, tmp_path / "cache"), dataset)
    with pytest.raises(SealedFile, match=dataset.path.name), sealed(seal):
        dataset.path.read_text()
    assert all(seal.covers(str(path)) for path in dataset.mask_files())


def test_eight_bit_images_of_a_sixteen_bit_set_are_brought_to_its_range(tmp_path):
    path = write(tmp_path, rows())
    Image.fromarray(np.full((30, 20), 1000, np.uint16)).save(path.parent / "images/0.png")
    Image.fromarray(np.full((30, 20), 255, np.uint8)).save(path.parent / "images/1.png")
    dataset = build(tmp_path)
    first, second = (dataset.read(sample) for sample in dataset.split("train")[:2])
    assert first.dtype == second.dtype == np.uint16
    assert (first == 1000).all() and (second == 65535).all()
    shallow = build(tmp_path, bits=8)
    first, second = (shallow.read(sample) for sample in shallow.split("train")[:2])
    assert first.dtype == second.dtype == np.uint8
    assert (first == round(1000 / 257)).all() and (second == 255).all()
    assert shallow.digest != dataset.digest


def test_further_columns_and_the_file_are_metadata_and_labels_and_ids_are_not(tmp_path):
    table = [{**row, "scanner": "B", "dose": "1.5", "note": "", "label_c": "1"} for row in rows()]
    write(tmp_path, table, columns=[*COLUMNS, "scanner", "dose", "note", "label_c"])
    dataset = build(tmp_path)
    assert dataset.metadata(dataset.split("train")[0]) == {
        "view": "MLO",
        "scanner": "B",
        "dose": 1.5,
        "note": "",
        "file folder": "set/images",
        "file type": ".png",
        "file height": 30.0,
        "file width": 20.0,
        "file bits": 8.0,
    }


def test_the_study_may_say_which_columns_are_metadata_without_changing_the_data(tmp_path):
    write(tmp_path, rows())
    stated = build(tmp_path, metadata=())
    assert "view" not in stated.metadata(stated.split("train")[0])
    assert stated.digest == build(tmp_path, metadata=("view",)).digest == build(tmp_path).digest
    assert mistakes(tmp_path, metadata=("veiw",)) == [
        f"{tmp_path / 'set' / 'table.csv'}: no column named 'veiw'; did you mean 'view'?"
    ]


def test_layers_keep_their_grey_values_and_strange_ones_are_background() -> None:
    from harness_datasets.manifest.images.masks import bring_layers_to, read_layers

    def read(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return read_layers(file.getvalue(), ".png")

    grey = np.repeat(np.array([[255, 127, 64, 33, 0, 200]], np.uint8), 2, 0)
    np.testing.assert_array_equal(read(grey)[0], [255, 128, 64, 32, 0, 0])
    np.testing.assert_array_equal(read(np.dstack([grey] * 3)), read(grey))
    np.testing.assert_array_equal(bring_layers_to(read(grey), (4, 12), "stretch")[0, ::2], read(grey)[0])
    with pytest.raises(ValueError, match="layer map"):
        read(np.dstack([grey, grey, 255 - grey]))
