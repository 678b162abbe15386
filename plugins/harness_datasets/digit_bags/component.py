"""Bags of handwritten digits: `digit_bags` of scikit-learn's, `mnist_bags` of MNIST's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset

MNIST_PX = 28


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
    """Build bags of scikit-learn's handwritten digits: is there a 9, is there a 3? No data are needed.

    A patient has two bags and an exposure of their own, which is independent of the labels. Train without flips: a
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
    from harness_datasets.digit_bags.dataset import DigitBags

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
    """Build the MNIST-bags of Ilse et al. 2018: a bag is positive if it has a 9; negative bags have none.

    The paper draws training bags from MNIST's 60,000 training digits and test bags from its 10,000 test digits.
    Here the latter alone are there: 60 % of each digit are for training bags, 20 % for val and 20 % for test.

    Args:
        root: the data root, with digits/digits_t10k.npz.
        bags: numbers for train (the paper: 50 to 500), val (the paper has none) and test (the paper: 1,000).
        targets: the digit that makes a bag positive; more than one are classes of their own.
        mean: of the Gaussian whose integer part is a bag's size, at least 1; the paper: 10, 50 and 100.
        deviation: of the same; the paper: 2, 10 and 20.
        law: "balanced": half of the bags are positive, drawn until the target is in, and a negative bag is drawn
            from the other digits; a bag's size is independent of its label. "random": every digit is drawn evenly
            and the label is what comes of it, so that long bags are positive more often. The authors' code has a
            loader of either kind.
        seed: of everything but the split of the handwriting.

    Raises:
        InputError: a parameter is out of range, or the digits are not there.
    """
    from harness_datasets.digit_bags.dataset import DigitBags

    params = {"digits": "mnist", "bags": list(bags), "targets": list(targets), "mean": float(mean), "law": law}
    params |= {"deviation": float(deviation), "digit_px": MNIST_PX, "per_patient": 1, "seed": seed}
    return DigitBags("mnist_bags", root, mnist_bags_task(targets=targets), params)


def digit_bags_task(*, targets: tuple[int, ...], digit_px: int, **_: Any) -> Task:
    """Return the task of digit bags without building them."""
    classes = tuple(f"digit_{target}" for target in targets)
    return Task(classes=classes, unit="bag", image_size=(digit_px, digit_px), sample="bag")


def mnist_bags_task(*, targets: tuple[int, ...], **_: Any) -> Task:
    """Return the task of bags of MNIST's digits without building them."""
    return digit_bags_task(targets=targets, digit_px=MNIST_PX)


_ILSE = "Ilse, Tomczak, Welling 2018, ICML"
_POSITIVES = {
    "number of targets": "in a positive bag of the balanced law what comes of drawing evenly until there is one; "
    "the paper asks for one or more",
    "validation": "bags of their own, of digits of their own; the paper has none",
}

DIGIT_BAGS: Component[Dataset] = Component(
    name="digit_bags",
    build=build_digit_bags,
    summary="bags of scikit-learn's handwritten digits: is there a 9, is there a 3?",
    source=f"after {_ILSE}; handwriting: UCI digits by scikit-learn",
    task=digit_bags_task,
    tiny={"bags": (8, 8, 8), "digit_px": 8},
    assumed=_POSITIVES,
)
MNIST_BAGS: Component[Dataset] = Component(
    name="mnist_bags",
    build=build_mnist_bags,
    summary="MNIST-bags: is there a 9 among the digits of a bag? Needs digits/digits_t10k.npz",
    source=_ILSE,
    task=mnist_bags_task,
    tiny={"bags": (8, 8, 8)},
    assumed={**_POSITIVES, "digits": "the 10,000 test digits of MNIST, shared out 60/20/20 to train, val and test"},
)
