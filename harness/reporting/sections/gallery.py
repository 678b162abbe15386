"""The gallery: hits, misses and false alarms of the baseline, and the same images under every variant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.contract.files import plain_name
from harness.metrics.maps.cases import COUNT, KINDS, choose_cases
from harness.reporting.figures.panels import (
    MOST_FRAMES,
    OUTLINE_NAMES,
    base_of,
    boxed,
    heated,
    outlined,
    stitched,
    webp,
)
from harness.reporting.material import Material
from harness.reporting.parts import Lines, Part, Picture, Pictures, Section, Text
from harness.statistics.arrays import Array
from harness.tables.markdown import number

SHARED, EXPLAINED = 4, 2
"""Numbers of images shown under every variant, and under every explainer of every variant."""
_PLURAL = {"hit": "Hits", "miss": "Misses", "false alarm": "False alarms"}
_WHAT = {
    "hit": "highest-scored images that have the class",
    "miss": "lowest-scored images that have the class",
    "false alarm": "highest-scored images that do not have it",
}


def gallery_section(material: Material) -> Section:
    """Return the saliency maps of images that are chosen by the score alone."""
    parts: list[Part] = []
    if not material.overlays:
        parts.append(Text("No pictures: no confirmed model gives saliency."))
    else:
        baseline = material.plan.baseline
        shown = baseline if baseline in material.overlays else next(iter(material.overlays))
        own = material.overlays[shown]
        parts += [_rule(material, shown, own), Lines(_legend(own))]
        parts += [part for k in range(len(own["classes"])) for part in _cases(shown, own, k)]
        if len(material.overlays) > 1:
            parts += _under_every_variant(material, shown)
        parts += _under_every_explainer(material, shown)
    return Section("gallery", "Where the models look", parts)


def _rule(material: Material, shown: str, own: Mapping[str, Array]) -> Text:
    every = int(own["version"]) >= 2
    among = "all test images" if every else f"the {len(own['ids'])} test images that were chosen beforehand"
    why = "" if shown == material.plan.baseline else " (the baseline gives no saliency)"
    known = " whose lesion is outlined" if own["masks"].any() else ""
    return Text(
        f"The images are those of the first confirmed model of `{shown}`{why}. For each class, among {among}: the "
        f"{COUNT} highest-scored positives{known} are hits, the {COUNT} lowest-scored ones are misses, the {COUNT} "
        "highest-scored negatives are false alarms. If there are few positives, the upper half are hits and the lower "
        "half misses. Only the score of this model selects, never the map. A hit may be below any threshold."
    )


def _legend(own: Mapping[str, Array]) -> list[str]:
    names = [str(name) for name in own["classes"]]
    colours = ", ".join(f"{OUTLINE_NAMES[k % 5]} for {name}" for k, name in enumerate(names))
    scales = ", ".join(f"{_top(own, k):.2g} for {name}" for k, name in enumerate(names))
    lines = [
        f"Outline: the true lesion, {colours}; no outline where none is known.",
        f"Maps: the model's own saliency map, transparent at 0, bright yellow at the highest value ({scales}). "
        "Colours are scaled to that value: a faint map becomes visible, not strong.",
    ]
    if "boxes" in own:
        weights = ", each with its attention (they sum to 1)" if "attention" in own else ""
        many = own["boxes"].shape[1] > MOST_FRAMES and "attention" in own
        framed = f"Frames: the patches the model looked at{weights}."
        lines.append("Patches: their attention, bright yellow at the highest." if many else framed)
    return lines


def _cases(variant: str, own: Mapping[str, Array], k: int) -> Iterator[Part]:
    name, known = str(own["classes"][k]), np.asarray(own["masks"].any((2, 3)))
    shown = known[:, k] if own["masks"].any() else None
    found = choose_cases([str(key) for key in own["ids"]], own["labels"][:, k], own["scores"][:, k], shown)
    for kind in KINDS:
        if not found[kind]:
            yield Text(f"{_PLURAL[kind]}, {name}: no such image.")
        else:
            yield Text(f"{_PLURAL[kind]}, {name}: the {len(found[kind])} {_WHAT[kind]}", "heading")
        for place, image in enumerate(found[kind]):
            stem = f"gallery/{plain_name(name)}-{kind.replace(' ', '_')}-{place + 1}"
            yield Pictures("", _panels(variant, own, image, stem), [_said(own, image)], small=True)


def _panels(variant: str, own: Mapping[str, Array], image: int, stem: str) -> list[Picture]:
    base, classes = base_of(own, image), [str(name) for name in own["classes"]]
    key, masks = str(own["ids"][image]), own["masks"][image]
    truth = f"Test image {key}"
    with_outline = outlined(base, masks)
    pictures = [Picture(f"{stem}-image.webp", webp(with_outline), f"{truth} with the true outlines", "image")]
    if "boxes" in own:
        weights = own["attention"][image] if "attention" in own else None
        framed = _patched(base, own["boxes"][image], weights, own["images"].shape[1:3])
        words = "" if weights is None else f"; the heaviest got {number(float(weights.max()))} of the attention"
        alt = f"{truth} with the patches that {variant} looked at{words}"
        pictures.append(Picture(f"{stem}-patches.webp", webp(framed), alt, "patches"))
    for k, name in enumerate(classes):
        seen = outlined(heated(base, own["maps"][image, k], _top(own, k)), _only(masks, k))
        alt = f"{truth} under the map of {name} by {variant}, score {number(float(own['scores'][image, k]))}"
        pictures.append(Picture(f"{stem}-map_{plain_name(name)}.webp", webp(seen), alt, f"map, {name}"))
    return pictures


def _patched(base: Array, boxes: Array, weights: Array | None, size: tuple[int, int]) -> Array:
    """Return the picture with its patches framed or, if there are many, coloured by attention."""
    if weights is None or len(boxes) <= MOST_FRAMES:
        return boxed(base, boxes, weights, size)
    return heated(base, stitched(boxes, weights, size), float(weights.max()) or 1.0)


def _under_every_variant(material: Material, shown: str) -> Iterator[Part]:
    """Yield the first images that every variant kept, each with the map of one class under each variant."""
    order = [item.name for item in material.plan.variants if item.name in material.overlays]
    order = [shown, *(name for name in order if name != shown)]
    common = set.intersection(*({str(key) for key in material.overlays[name]["ids"]} for name in order))
    own = material.overlays[shown]
    images = [place for place, key in enumerate(own["ids"]) if str(key) in common and own["chosen"][place]][:SHARED]
    if not images:
        return
    yield Text(
        f"The same images under every variant: the first {len(images)} of those chosen before any model saw them "
        "(classes in turn, in the order of the test split), each with the map of its first class. The maps of each "
        "variant are coloured up to that variant's highest value."
    )
    for row, image in enumerate(images):
        positive = [k for k in range(len(own["classes"])) if own["labels"][image, k] == 1]
        k = positive[0] if positive else 0
        pictures = list(_row(material, order, str(own["ids"][image]), k, f"gallery/every-{row + 1}"))
        title = f"Image {own['ids'][image]}, map of {own['classes'][k]}"
        yield Pictures(title, pictures, [_truths(own, image) + "."], small=True)


def _row(material: Material, order: Sequence[str], key: str, k: int, stem: str) -> Iterator[Picture]:
    base = None
    for name in order:
        own = material.overlays[name]
        image = [str(other) for other in own["ids"]].index(key)
        base = base_of(own, image) if base is None else base  # of all variants the same
        seen = outlined(heated(base, own["maps"][image, k], _top(own, k)), _only(own["masks"][image], k))
        score = number(float(own["scores"][image, k]))
        alt = f"Test image {key} under the map of {own['classes'][k]} by {name}, score {score}"
        yield Picture(f"{stem}-{plain_name(name)}.webp", webp(seen), alt, f"{name}, score {score}")


def _under_every_explainer(material: Material, shown: str) -> Iterator[Part]:
    """Yield the first explained images, a row per variant: its own map and that of each explainer."""
    order = [item.name for item in material.plan.variants if "explainers" in material.overlays.get(item.name, ())]
    order = sorted(order, key=lambda name: name != shown)
    if not order:
        return
    first = material.overlays[order[0]]
    images = [str(key) for key, k in zip(first["ids"], first["of_class"], strict=True) if k >= 0][:EXPLAINED]
    yield Text("Maps of the explainers", "heading")
    yield Text(
        f"The first {len(images)} of the images chosen before any model saw them, each with the map of one class. "
        "Explainers have scales of their own: each map is coloured up to its own highest value."
    )
    for row, key in enumerate(images):
        for name in order:
            own = material.overlays[name]
            ids = [str(other) for other in own["ids"]]  # a variant whose first fold failed shows another fold's
            place = ids.index(key) if key in ids else -1
            k = int(own["of_class"][place]) if place >= 0 else -1
            if k >= 0:
                pictures = list(_explained(own, place, k, name, f"gallery/explained-{row + 1}-{plain_name(name)}"))
                yield Pictures(f"{name}: image {key}, {own['classes'][k]}", pictures, [_said(own, place)], small=True)


def _explained(own: Mapping[str, Array], image: int, k: int, variant: str, stem: str) -> Iterator[Picture]:
    base, masks = base_of(own, image), _only(own["masks"][image], k)
    maps = {"own saliency map": own["maps"][image, k]}
    row = int((own["of_class"][:image] >= 0).sum())  # among those that have such maps
    maps |= {str(name): own["explained"][place][row] for place, name in enumerate(own["explainers"])}
    for name, saliency in maps.items():
        seen = outlined(heated(base, saliency, float(saliency.max()) or 1.0), masks)
        alt = f"Test image {own['ids'][image]} under the {name} of {variant} for {own['classes'][k]}"
        yield Picture(f"{stem}-{plain_name(name)}.webp", webp(seen), alt, name)


def _only(masks: Array, k: int) -> Array:
    """Return the masks with those of all other classes emptied, so that each class keeps its colour."""
    own: Array = masks * 0
    own[k] = masks[k]
    return own


def _said(own: Mapping[str, Array], image: int) -> str:
    scores = [
        f"{name} score {number(float(own['scores'][image, k]))}" for k, name in enumerate(own["classes"].tolist())
    ]
    return f"Image {own['ids'][image]}: {_truths(own, image)}; {', '.join(scores)}."


def _truths(own: Mapping[str, Array], image: int) -> str:
    words = {1.0: "yes", 0.0: "no"}
    labels = [float(value) for value in own["labels"][image]]
    known = [words.get(value, "") if not math.isnan(value) else "unknown" for value in labels]
    return "true labels: " + ", ".join(
        f"{name} {word}" for name, word in zip(own["classes"].tolist(), known, strict=True)
    )


def _top(own: Mapping[str, Array], k: int) -> float:
    return float(own["maps"][:, k].max()) or 1.0
