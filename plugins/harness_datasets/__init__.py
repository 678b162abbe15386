"""Data sets that come with the harness. Light: whatever a data set needs is imported when it is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, InputError, Task, hookimpl

if TYPE_CHECKING:
    from harness import Dataset


def build_phantom_mammograms(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (192, 128),
    difficulty: float = 0.3,
    prevalence: float = 0.35,
    seed: int = 0,
    marker: Literal["", "benign", "malignant"] = "",
) -> Dataset:
    """Phantom mammograms: CC and MLO of both breasts, smooth and spiculated lesions, exact outlines.

    A benign lesion is a bright smooth oval, a malignant one a bright star. Every breast also holds
    dark ovals and stars, bright and dark fibres and scattered strands, so arranged that histogram and
    spectrum of an image say nothing of its labels. The two classes can be told apart from
    128 x 96 px on (a star's spicules are then as thin as they get, 2 px); at that size they are
    learned from image labels alone more slowly than at 192 x 128. Textures of the two views are
    independent, and nothing is simulated physically.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels, from 128 x 96 to 2944 x 1920.
        difficulty: in [0, 1]: smaller and fainter lesions among more distractors.
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        seed: of everything; a test image does not depend on the number of training images.
        marker: a class whose images get a bright square burned in: a shortcut for audits to find.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.phantom import PhantomMammograms

    return PhantomMammograms(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": marker,
        }
    )


def build_needle_digits(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (96, 72),
    objects: int = 4,
    glyph_px: int = 24,
    contrast: float = 0.5,
    digits: Literal["sklearn", "mnist"] = "sklearn",
    prevalence: float = 0.35,
    seed: int = 0,
    marker: Literal["", "benign", "malignant"] = "",
) -> Dataset:
    """Handwritten digits on a textured canvas: 3 is malignant, 5 is benign, the others distract.

    A canvas without a target has a digit in its place that matches it in ink, rim and spectrum. No glyph
    is in two splits. Both views of a breast show the same glyphs in different places. Train without flips:
    a mirrored digit is another digit, and with them nothing is learned in 15 epochs. From 20 px a
    glyph the digits can be told apart; how many images it takes to learn them grows steeply with the
    number of objects and falls with the share of the canvas that a glyph covers.

    Args:
        root: the data root, read for `digits = "mnist"` only.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels.
        objects: digits on a canvas, give or take a quarter.
        glyph_px: side of a digit in pixels.
        contrast: brightness of full ink before jitter, over the image's range.
        digits: "sklearn" (1,797 digits of 8 x 8, in the wheel) or "mnist" (digits/digits_t10k.npz below the root).
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        seed: of everything but the split of the handwriting.
        marker: a class whose images get a bright square burned in: a shortcut for audits to find.

    Raises:
        InputError: a parameter is out of range, or so many digits do not fit.
    """
    from harness_datasets.needle import NeedleDigits

    return NeedleDigits(
        root,
        {
            "images": list(images),
            "image_size": list(image_size),
            "objects": objects,
            "glyph_px": glyph_px,
            "contrast": float(contrast),
            "digits": digits,
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": marker,
        },
    )


def build_digit_bags(
    root: Path,
    /,
    *,
    bags: tuple[int, int, int] = (200, 100, 200),
    targets: tuple[int, ...] = (9, 3),
    mean: float = 10.0,
    deviation: float = 2.0,
    law: Literal["balanced", "random"] = "balanced",
    digit_px: int = 28,
    seed: int = 0,
) -> Dataset:
    """Bags of scikit-learn's handwritten digits: is there a 9, is there a 3? Needs no data of the user's.

    A patient has two bags and an exposure of their own, which says nothing of the labels. Train without flips: a
    mirrored digit is another digit.

    Means of the digits' own brightness and spectrum tell the labels to an AUC of .76: an instance is nothing but a
    digit, so that this is no shortcut past it. A bag's size and exposure tell nothing.

    Args:
        root: not used; the digits (1,797 of 8 x 8) come with scikit-learn.
        bags: numbers for train, val and test.
        targets: the digits that are asked for, a class each.
        mean: of the Gaussian whose integer part is a bag's size, at least the number of targets.
        deviation: of the same.
        law: see `build_mnist_bags`.
        digit_px: side that the digits are brought to.
        seed: of everything but the split of the handwriting.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.digit_bags import DigitBags

    params = {"digits": "sklearn", "bags": list(bags), "targets": list(targets), "mean": float(mean), "law": law}
    params |= {"deviation": float(deviation), "digit_px": digit_px, "per_patient": 2, "seed": seed}
    return DigitBags("digit_bags", root, digit_bags_task(targets=targets, digit_px=digit_px), params)


def build_mnist_bags(
    root: Path,
    /,
    *,
    bags: tuple[int, int, int] = (200, 100, 1000),
    targets: tuple[int, ...] = (9,),
    mean: float = 10.0,
    deviation: float = 2.0,
    law: Literal["balanced", "random"] = "balanced",
    seed: int = 0,
) -> Dataset:
    """MNIST-bags of Ilse et al. 2018: a bag is positive if a 9 is in it; negative bags have none.

    The paper draws training bags from MNIST's 60,000 training digits and test bags from its 10,000 test digits.
    Here the latter alone are there: 60 % of each digit are for training bags, 20 % for val and 20 % for test.

    Args:
        root: the data root, with digits/digits_t10k.npz.
        bags: numbers for train (the paper: 50 to 500), val (the paper has none) and test (the paper: 1,000).
        targets: the digit that makes a bag positive; more than one are classes of their own.
        mean: of the Gaussian whose integer part is a bag's size, at least 1; the paper: 10, 50 and 100.
        deviation: of the same; the paper: 2, 10 and 20.
        law: "balanced": half of the bags are positive, drawn until the target is in, and a negative bag is drawn
            from the other digits; a bag's size says nothing of its label. "random": every digit is drawn evenly
            and the label is what comes of it, so that long bags are positive more often. The authors' code has a
            loader of either kind.
        seed: of everything but the split of the handwriting.

    Raises:
        InputError: a parameter is out of range, or the digits are not there.
    """
    from harness_datasets.digit_bags import DigitBags

    params = {"digits": "mnist", "bags": list(bags), "targets": list(targets), "mean": float(mean), "law": law}
    params |= {"deviation": float(deviation), "digit_px": 28, "per_patient": 1, "seed": seed}
    return DigitBags("mnist_bags", root, mnist_bags_task(targets=targets), params)


def digit_bags_task(*, targets: tuple[int, ...] = (9, 3), digit_px: int = 28, **_: Any) -> Task:
    """What digit bags are about, known without building them."""
    classes = tuple(f"digit_{target}" for target in targets)
    return Task(classes=classes, unit="bag", image_size=(digit_px, digit_px), sample="bag")


def mnist_bags_task(*, targets: tuple[int, ...] = (9,), **_: Any) -> Task:
    """The same, with the defaults of mnist_bags."""
    return digit_bags_task(targets=targets)


def build_feature_bags(
    root: Path,
    /,
    *,
    path: str,
    labels: tuple[str, ...],
    features: int,
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    where: str = "",
    file: str = "features",
    key: str = "features",
    coords: str = "",
    group: str = "patient_id",
    id: str = "",
    unit: str = "bag",
    split: str = "split",
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    folds: int = 0,
    fold: int = 0,
    seed: int = 0,
    metadata: tuple[str, ...] | None = None,
) -> Dataset:
    """Bags of feature vectors that a CSV or Parquet table lists: a file of vectors a row, NumPy, HDF5 or Parquet.

    Args:
        root: the user's data root; neither table nor files may lie outside.
        path: of the table, relative to the root; paths inside it are relative to the table.
        labels: the classes; each has a column `label_<name>` of 1, 0 or nothing (unknown).
        features: the length of a vector.
        kind: in "multiclass" exactly one label holds.
        where: which rows to keep.
        file: column with the path of a bag's file: .npy with "n d", .h5 or .hdf5 with a data set "n d", .parquet
            with a row a vector.
        key: the name of that data set in an HDF5 file.
        coords: the coordinates of the vectors: name of the data set "n 2" in an HDF5 file, or two columns of a
            Parquet file, as "x,y"; "" reads none. Other columns of a Parquet file are the vector, in their order.
        group: column with the patient; no patient is in two splits.
        id: column with a unique name; the file's path where "".
        unit: column that says which bags are diagnosed together, or "bag".
        split: as in `build_manifest`, and so are the following.
        fractions: of train, val and test.
        folds: from 3 on, patients are dealt out to so many folds whatever the table says.
        fold: the fold that is the test split.
        seed: of that deal.
        metadata: the columns that `harness data check --full` holds against the labels.

    Raises:
        InputError: with every mistake of the table and its files, each with its row.
    """
    from harness_datasets.feature_bags import FeatureBags
    from harness_datasets.table import Columns

    used = "" if folds else split
    columns = Columns(file, group, labels, False, id, "" if unit == "bag" else unit, used, metadata)
    task = feature_bags_task(labels=labels, features=features, kind=kind, unit=unit)
    return FeatureBags(
        root, task, path, columns, where=where, key=key, coords=coords, deal=(fractions, folds, fold, seed)
    )


def feature_bags_task(
    *,
    labels: tuple[str, ...],
    features: int,
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    unit: str = "bag",
    **_: Any,
) -> Task:
    """What the parameters of feature bags say of their task; the table is not opened."""
    return Task(kind=kind, classes=tuple(labels), unit=unit, sample="features", features=features)


def build_skin_ultrasound(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (128, 128),
    difficulty: float = 0.3,
    folds: int = 0,
    fold: int = 0,
    seed: int = 0,
) -> Dataset:
    """Layered skin in high-frequency ultrasound: four exclusive classes, and a grey-coded map of the layers.

    From the top: gel, a film, the entry echo, upper dermis, dermis, the fascia's echo with a film, what lies below; as
    grey values of the map 0, 32, 255, 128, 64, 32, 0. Every image holds a dark band and a dark nodule. The class says
    which of them lie right beneath the entry echo ("ad" the band, "st" the nodule, "ps" both, "cg" none); the others
    lie right above the fascia's echo, the mirror image of that. The names are those of a published data set, the
    appearances are invented. Train without "flip_vertical", which changes the class.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has two and one class, classes are even.
        image_size: height and width in pixels, each from 64 to 1024.
        difficulty: in [0, 1]: fainter and smaller pieces among more fibres.
        folds: from 3 on, all patients are dealt out to so many folds, classes even.
        fold: the fold that is the test split, counted from 0; the next one is val.
        seed: of everything; a test image does not depend on the number of training images.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.skin import SkinUltrasound

    return SkinUltrasound(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "folds": folds,
            "fold": fold,
            "seed": seed,
        }
    )


def build_manifest(
    root: Path,
    /,
    *,
    path: str,
    labels: tuple[str, ...],
    image_size: tuple[int, int],
    channels: Literal[1, 3] = 1,
    mask_kind: Literal["outline", "circle", "box", "layers", "none"] = "none",
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    where: str = "",
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
    metadata: tuple[str, ...] | None = None,
    preprocess: Literal["none", "mammogram"] = "none",
    side: str = "",
    view: str = "",
    window_px: tuple[int, int] | None = None,
) -> Dataset:
    """Images that a CSV or Parquet table lists: PNG, JPEG, TIFF or DICOM, 8 or 16 bits.

    Args:
        root: the user's data root; neither table nor images may lie outside.
        path: of the table, relative to the root; paths inside it are relative to the table.
        labels: the classes; each has a column `label_<name>` of 1, 0 or nothing (unknown).
        image_size: height and width in pixels that images are brought to.
        channels: 1 turns colour into luminance, 3 repeats grey.
        mask_kind: what the columns `mask_<name>` draw: any value but 0 is inside, but of "layers" grey values
            255 (the key layer), 128, 64, 32 and 0; "none" leaves them shut.
        kind: in "multiclass" exactly one label holds.
        where: which rows to keep, as `conflict == 0 and view in ["CC", "MLO"]`.
        image: column with the image's path.
        group: column with the patient; no patient is in two splits.
        id: column with a unique name; the image's path where "".
        unit: column that says which images are diagnosed together, or "image".
        split: column with train, val, tune_loc or test; where the table lacks it, or with "",
            patients are dealt out by `fractions`, labels balanced.
        fractions: of train, val and test.
        folds: from 3 on, patients are dealt out to so many folds whatever the table says.
        fold: the fold that is the test split, counted from 0; the next one is val.
        seed: of that deal.
        fit: stretch images to the size, or keep their aspect and pad with 0.
        colour: what becomes of an image that has not the number of `channels`: "convert" as they say, or
            "refuse" it. Grey that is stored as RGB is grey.
        unseen: the rows are for a model that is trained already, as `harness predict` reads them: all are in
            the test split, and every column but the image's may be missing (labels are then unknown, and
            each image is its own patient). Not for a study: there is nothing to train on.
        metadata: the columns that `harness data check --full` holds against the labels; where not given, every
            column without another use. Columns that state the finding itself (its count, its grade) are none.
        preprocess: "mammogram" turns every breast to face right, blackens all but the breast, also where the
            background is not 0 or has marks burned in, and cuts out a window round it; masks follow.
        side: column with L or R; where "", the chest wall is found in the image. For `preprocess` only.
        view: column with CC (centred in the window) or MLO (at its top); as CC where "". For `preprocess` only.
        window_px: height and width of that window in pixels of the file, as published (2944 x 1920); by default
            the smallest of the shape of `image_size` that holds the breast, for each image.

    Raises:
        InputError: with every mistake of the table, each with its row and column.
    """
    from harness_datasets.mammogram_prep import Mammogram
    from harness_datasets.manifest import Manifest
    from harness_datasets.table import Columns

    if preprocess == "none" and (side or view or window_px):
        raise InputError('dataset manifest: side, view and window_px are for preprocess = "mammogram"')
    if window_px is not None and min(window_px) < 1:
        raise InputError(f"dataset manifest: window_px: at least 1 pixel high and wide, not {list(window_px)}")
    size = (image_size[0], image_size[1])
    mammogram = Mammogram(size, window_px and (window_px[0], window_px[1])) if preprocess == "mammogram" else None
    columns = Columns(
        image,
        group,
        labels,
        mask_kind != "none",
        id,
        "" if unit == "image" else unit,
        "" if folds else split,
        metadata,
        side,
        view,
    )
    task = manifest_task(
        labels=labels, image_size=image_size, channels=channels, mask_kind=mask_kind, kind=kind, unit=unit
    )
    return Manifest(
        root,
        task,
        path=path,
        columns=columns,
        where=where,
        fit=fit,
        fractions=fractions,
        folds=folds,
        fold=fold,
        seed=seed,
        refuse_colour=colour == "refuse",
        unseen=unseen,
        mammogram=mammogram,
    )


def manifest_task(
    *,
    labels: tuple[str, ...],
    image_size: tuple[int, int],
    channels: int = 1,
    mask_kind: Literal["outline", "circle", "box", "layers", "none"] = "none",
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    unit: str = "image",
    **_: Any,
) -> Task:
    """What the parameters of a manifest say of its task; the table is not opened."""
    return Task(
        kind=kind,
        classes=tuple(labels),
        unit=unit,
        channels=channels,
        image_size=(image_size[0], image_size[1]),
        mask_kind=mask_kind,
    )


def breast_task(*, image_size: tuple[int, int] = (192, 128), **_: Any) -> Task:
    """What both generators set as the task, known without building them."""
    height, width = image_size
    return Task(classes=("benign", "malignant"), unit="breast", image_size=(height, width), mask_kind="outline")


def canvas_task(*, image_size: tuple[int, int] = (96, 72), **_: Any) -> Task:
    """The same, with the default size of needle_digits."""
    return breast_task(image_size=image_size)


def skin_task(*, image_size: tuple[int, int] = (128, 128), **_: Any) -> Task:
    """What `skin_ultrasound` sets as the task, known without building it."""
    from harness_datasets.skin import skin_task

    return skin_task(image_size=image_size)


def build_chest_phantom(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (128, 128),
    difficulty: float = 0.3,
    seed: int = 0,
) -> Dataset:
    """Phantom chest films: four findings that exclude nothing, each with its exact outline; many films have none.

    Named by what they imitate: nodule (a small smooth oval, high in a lung), mass (large, spiculated), effusion (flat,
    at a lung's base), infiltration (blobs close together, in the middle). Prevalences are 25, 20, 30 and 30 %, kept
    exactly in every split; the labels are independent. A film without a finding has the same ink elsewhere or of the
    other sign, so that histogram and spectrum say nothing of its labels. Train without vertical flips.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has one or two.
        image_size: height and width in pixels, each from 96 to 512.
        difficulty: in [0, 1]: smaller and fainter findings among more vessels.
        seed: of everything; a test image does not depend on the number of training images.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.chest import ChestPhantom

    params = {"images": list(images), "image_size": list(image_size), "difficulty": float(difficulty), "seed": seed}
    return ChestPhantom(params)


def chest_task(*, image_size: tuple[int, int] = (128, 128), **_: Any) -> Task:
    """What chest_phantom sets as the task, known without building it."""
    from harness_datasets.chest_findings import CLASSES

    height, width = image_size
    return Task(classes=CLASSES, image_size=(height, width), mask_kind="outline")


def build_histology_phantom(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (112, 112),
    difficulty: float = 0.2,
    prevalence: float = 0.45,
    tiles: int = 2,
    nucleus_px: float = 2.5,
    seed: int = 0,
) -> Dataset:
    """Tiles in the colours of haematoxylin and eosin: is there a nest of atypical nuclei?

    Every tile has a nest of crowded nuclei, which are atypical where the label is 1 and regular where it is 0, and
    strewn ones of both kinds in any proportion. Atypical nuclei are bluer, and nothing else: grey values are the same
    whatever the label, and neither colour alone nor crowding alone tells it. Nothing is simulated physically.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test, rounded down to whole patients.
        image_size: height and width in pixels, 64 or more; nuclei keep their size, so that larger tiles have more.
        difficulty: in [0, 1]: a smaller nest, less difference of colour, further nests of regular nuclei. From about .5
            on the small networks of the quick budgets learn nothing.
        prevalence: share of tiles with a finding, in (0, 1), kept exactly in every split.
        tiles: of each patient, who has one staining.
        nucleus_px: mean radius of a nucleus in pixels.
        seed: of everything.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.histology import HistologyPhantom

    return HistologyPhantom(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "tiles": tiles,
            "nucleus_px": float(nucleus_px),
            "seed": seed,
        }
    )


def histology_task(*, image_size: tuple[int, int] = (112, 112), **_: Any) -> Task:
    """What `histology_phantom` sets as the task, known without building it."""
    height, width = image_size
    return Task(classes=("tumour",), channels=3, image_size=(height, width), mask_kind="outline")


def build_phantom_exams(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (192, 128),
    difficulty: float = 0.3,
    prevalence: float = 0.35,
    missing: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Exams of the patients of `phantom_mammograms`: a sample is a breast with both views of both breasts.

    The views are CC, MLO, other CC, other MLO, all facing the same way. Breasts, images and labels are those
    that `phantom_mammograms` has for the same parameters, and a sample here bears the name of a unit there:
    what is predicted of breasts can be compared. There are no masks, since a sample is no single image.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels, from 128 x 96 to 2944 x 1920.
        difficulty: in [0, 1]: smaller and fainter lesions among more distractors.
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        missing: probability that a breast lacks one of its two views, either of them.
        seed: of everything; a test exam does not depend on the number of training exams.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.exams import PhantomExams

    return PhantomExams(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": "",
        },
        float(missing),
    )


def exam_task(*, image_size: tuple[int, int] = (192, 128), **_: Any) -> Task:
    """What phantom_exams sets as its task, known without building it."""
    task = breast_task(image_size=image_size)
    return replace(task, mask_kind="none", sample="views", views=("CC", "MLO", "other CC", "other MLO"))


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """The built-in data sets."""
    ilse = "Ilse, Tomczak, Welling 2018, ICML"
    positives = {
        "number of targets": "in a positive bag of the balanced law what comes of drawing evenly until there is one; "
        "the paper asks for one or more",
        "validation": "bags of their own, of digits of their own; the paper has none",
    }
    yield Component(
        name="digit_bags",
        build=build_digit_bags,
        summary="bags of scikit-learn's handwritten digits: is there a 9, is there a 3?",
        source=f"after {ilse}; handwriting: UCI digits by scikit-learn",
        task=digit_bags_task,
        tiny={"bags": (8, 8, 8), "digit_px": 8},
        assumed=positives,
    )
    yield Component(
        name="feature_bags",
        build=build_feature_bags,
        summary="bags of feature vectors listed in a CSV or Parquet table: NumPy, HDF5, Parquet",
        task=feature_bags_task,
    )
    yield Component(
        name="mnist_bags",
        build=build_mnist_bags,
        summary="MNIST-bags: is there a 9 among the digits of a bag? Needs digits/digits_t10k.npz",
        source=ilse,
        task=mnist_bags_task,
        tiny={"bags": (8, 8, 8)},
        assumed={**positives, "digits": "the 10,000 test digits of MNIST, shared out 60/20/20 to train, val and test"},
    )
    yield Component(
        name="phantom_mammograms",
        build=build_phantom_mammograms,
        summary="phantom mammograms with smooth and spiculated lesions and exact outlines",
        source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
        task=breast_task,
        tiny={"images": (16, 8, 8), "image_size": (128, 96)},
    )
    yield Component(
        name="needle_digits",
        build=build_needle_digits,
        summary="handwritten digits on a textured canvas: find the 3 (malignant) and the 5 (benign)",
        source="after Pawlowski et al. 2019, Needles in Haystacks; handwriting: UCI digits by scikit-learn, or MNIST",
        task=canvas_task,
        tiny={"images": (16, 8, 8), "image_size": (96, 72)},
    )
    yield Component(
        name="skin_ultrasound",
        build=build_skin_ultrasound,
        summary="layered skin in high-frequency ultrasound, four invented classes, grey-coded layer maps, folds",
        source="layers and grey code after SaliencyCNNAnalysis; speckle: Burckhardt 1978",
        task=skin_task,
        tiny={"images": (16, 8, 8), "image_size": (96, 96)},
    )
    yield Component(
        name="manifest",
        build=build_manifest,
        summary="images listed in a CSV or Parquet table: PNG, JPEG, TIFF, DICOM",
        task=manifest_task,
    )
    yield Component(
        name="chest_phantom",
        build=build_chest_phantom,
        summary="phantom chest films: nodule, mass, effusion, infiltration, with exact outlines",
        source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
        task=chest_task,
        tiny={"images": (16, 8, 8), "image_size": (96, 96)},
    )
    yield Component(
        name="histology_phantom",
        build=build_histology_phantom,
        summary="stained tissue tiles with or without a nest of atypical nuclei, exact outlines",
        source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
        task=histology_task,
        tiny={"images": (16, 8, 8), "image_size": (96, 96)},
    )
    yield Component(
        name="phantom_exams",
        build=build_phantom_exams,
        summary="exams of phantom mammograms: both views of both breasts, of which one may be missing",
        source="images: phantom_mammograms",
        task=exam_task,
        tiny={"images": (16, 8, 8), "image_size": (128, 96), "missing": 0.5},
    )
