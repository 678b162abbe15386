"""`manifest`: images that a table lists, each by itself, as bags or as exams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import Component, InputError
from harness_datasets.manifest.task import manifest_task

if TYPE_CHECKING:
    from harness import Dataset
    from harness_datasets.manifest.mammograms.window import Mammogram, Polarity


def build_manifest(
    root: Path,
    /,
    *,
    path: str,
    labels: tuple[str, ...],
    image_size: tuple[int, int],
    channels: Literal[1, 3] = 1,
    mask_kind: Literal["outline", "circle", "box", "layers", "none"] = "none",
    mask_values: tuple[int, ...] = (),
    mask_threshold: int | None = None,
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    where: str = "",
    missing: tuple[str, ...] | None = None,
    image: str = "image",
    group: str = "patient_id",
    id: str = "",
    unit: str = "image",
    split: str = "split",
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    folds: int = 0,
    fold: int = 0,
    seed: int = 0,
    fit: Literal["stretch", "pad"] = "stretch",
    colour: Literal["convert", "refuse"] = "convert",
    unseen: bool = False,
    bits: Literal[0, 8, 16] = 0,
    metadata: tuple[str, ...] | None = None,
    dicom_window: Literal["apply", "ignore"] = "apply",
    preprocess: Literal["none", "mammogram"] = "none",
    inverted: Literal["refuse", "invert", "keep"] = "refuse",
    side: str = "",
    view: str = "",
    flipped: str = "",
    window_px: tuple[int, int] | None = None,
    bag: str = "",
    exam: str = "",
) -> Dataset:
    """Build a data set from a CSV or Parquet table of images: PNG, JPEG, TIFF or DICOM, 8 or 16 bits.

    A row is an image. It is a sample too, unless `bag` or `exam` names the column of what rows are together: then
    labels, patient, unit and split of rows that are one sample must agree, but a label that one row leaves
    empty may be given in another.

    Args:
        root: the user's data root; neither table nor images may lie outside.
        path: of the table, relative to the root; paths inside it are relative to the table.
        labels: the classes; each has a column `label_<name>` of 1, 0 or nothing (unknown).
        image_size: height and width in pixels that images are brought to.
        channels: 1 turns colour into luminance, 3 repeats grey.
        mask_kind: what the columns `mask_<name>` draw. Masks hold 0 outside and one other value inside, but "layers"
            the grey values 255 (the key layer), 128, 64, 32 and 0; "none" leaves the files shut. Several masks of an
            image, with ; between their paths, are their union.
        mask_values: the pixel value of each class in label maps, in the order of `labels`. Without it a mask with
            several values is refused.
        mask_threshold: the lowest pixel value inside, for masks with soft edges.
        kind: in "multiclass" exactly one label holds.
        where: which rows to keep, as `conflict == 0 and view in ["CC", "MLO"]`. A cell is text beside a text and a
            number beside a number.
        missing: texts that are missing values, as `["NA"]`, besides empty cells, numeric NaN and #N/A. Where not
            given, NA, N/A, None, null and nan (in any case) are refused in labels, groups, units and splits; `[]`
            takes them as names.
        image: column with the image's path.
        group: column with the patient; no patient is in two splits.
        id: column with a unique name; the image's path where "".
        unit: column that says which images are diagnosed together, or "image"; with `bag` or `exam` that is the bag
            or the breast where no column is given.
        split: column with train, val, tune_loc or test; where the table lacks it, or with "",
            patients are dealt out by `fractions`, labels balanced.
        fractions: of train, val and test.
        folds: from 3 on, patients are dealt out to so many folds whatever the table says.
        fold: the fold that is the test split, counted from 0; the next one is val.
        seed: of that deal.
        fit: stretch images to the size, or keep their aspect and pad with 0.
        colour: "convert" or "refuse" images with another number of channels. Grey that is stored as RGB is grey.
        bits: depth that all images are brought to; 0 takes that of the deepest image of the table.
        unseen: the rows are for a model that is trained already, as `harness predict` reads them: all are in
            the test split, and every column but the image's may be missing (labels are then unknown, and
            each image is its own patient). In a study only with `train.epochs = 0`: there is nothing to train on.
        metadata: the columns that `harness data check --full` holds against the labels; where not given, every
            column without another use. Columns that state the finding itself (its count, its grade) are none.
        dicom_window: "apply" the window or VOI table of a DICOM file, or "ignore" it: then the range that its stored
            bits can express is read.
        preprocess: "mammogram" turns every breast to face right, blackens all but the breast, also where the
            background is not 0 or has marks burned in, and cuts out a window round it; masks follow.
        inverted: what becomes of a film whose background is bright: "refuse" or "invert" it, or "keep" it as it is.
            For `preprocess` only.
        side: column with L or R; where "", the chest wall is found in the image. For `preprocess` and `exam` only.
        view: column with CC (centred in the window) or MLO (at its top); as CC where "". For `preprocess` and
            `exam` only.
        flipped: column with YES or NO, 1 or 0: whether the file holds the mirror image, so that the side tells the
            wrong way (the text `horizontal_flip` of an exam list). For `preprocess` only.
        window_px: height and width of that window in pixels of the file, as published (2944 x 1920); by default
            the smallest of the shape of `image_size` that holds the breast, for each image.
        bag: column that says which bag an image is in: a sample is a bag of images, in the order of the table.
        exam: column that says which exam an image is of, the patient's where each has one: a sample is a breast,
            called `<exam>-<side>`, with both views of both breasts (CC, MLO, other CC, other MLO; up to three of them
            missing). Needs `side` and `view`. Without `preprocess` no image is turned.

    Raises:
        InputError: with every mistake of the table, each with its row and column.
    """
    from harness_datasets.manifest.assign import Deal
    from harness_datasets.manifest.dataset import Manifest
    from harness_datasets.manifest.entries import Columns
    from harness_datasets.manifest.images.masks import Inside
    from harness_datasets.manifest.reading import Reading

    if unseen and (bag or exam):
        raise InputError("dataset manifest: unseen: new images are single ones, so neither bag nor exam can be given")
    units, splits = "" if unit == "image" else unit, "" if folds else split
    task = manifest_task(
        labels=labels,
        image_size=image_size,
        channels=channels,
        mask_kind=mask_kind,
        mask_values=mask_values,
        mask_threshold=mask_threshold,
        kind=kind,
        unit=unit,
        bag=bag,
        exam=exam,
        preprocess=preprocess,
        side=side,
        view=view,
        flipped=flipped,
        window_px=window_px,
        inverted=inverted,
    )
    return Manifest(
        root,
        task,
        path=path,
        columns=Columns(
            image, group, labels, mask_kind != "none", id, units, splits, metadata, side, view, flipped, bag or exam
        ),
        where=where,
        deal=Deal(fractions, folds, fold, seed),
        fit=fit,
        reading=Reading(
            rules=tuple(Inside(value, mask_threshold) for value in mask_values or (None,) * len(labels)),
            window=dicom_window,
            mammogram=_mammogram(preprocess, task.image_size, window_px, inverted),
            refuse_colour=colour == "refuse",
        ),
        missing=missing,
        unseen=unseen,
        bits=bits,
    )


def _mammogram(
    preprocess: str, image_size: tuple[int, int], window_px: tuple[int, int] | None, inverted: Polarity
) -> Mammogram | None:
    """Return how mammograms are prepared, or None if they are not."""
    from harness_datasets.manifest.mammograms.window import Mammogram

    if preprocess != "mammogram":
        return None
    return Mammogram(image_size, window_px and (window_px[0], window_px[1]), inverted)


MANIFEST: Component[Dataset] = Component(
    name="manifest",
    build=build_manifest,
    summary="images listed in a CSV or Parquet table, single, in bags or as exams: PNG, JPEG, TIFF, DICOM",
    task=manifest_task,
)
