"""Faithfulness of the maps of a frozen model: important pixels are covered and the rest is scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from harness.contract import seeds
from harness.contract.nn import Batch, Model, Output
from harness.contract.tables import FAITHFULNESS, SHIFTED, to_bytes
from harness.contract.types import Sample, Task, TrialSpec
from harness.metrics.maps.faithfulness import curve_area, rank_correlation, structural_similarity
from harness.trial.confirm.overlays import choose
from harness.trial.confirm.randomise import randomised
from harness.trial.data.loader import Loader, black
from harness.trial.data.stage import Images
from harness.trial.model.evaluate import run
from harness.trial.settings.faithfulness import FaithfulnessSettings
from harness.trial.settings.training import TrainSettings

FILE = "faithfulness.parquet"
_BLUR = 5 / 224
"""Deviation of the initial blur of insertion, relative to the image's longer side: 5 pixels at 224, as published."""

Explain = Callable[[Model | None, Batch, Output, Sequence[int]], Float[Tensor, "b h w"] | None]
"""Maps of one class per image of a randomised model, or of the trained one for None; None if there are no maps."""


@dataclass(frozen=True)
class Score:
    """Probability of a class, and its logit or NaN, for each of n images."""

    probs: Float[Tensor, n]
    logits: Float[Tensor, n]


@dataclass(frozen=True)
class Probe:
    """Versions of one image that are scored together, and the columns of their row: `method`, `covered`, `level`."""

    method: str
    images: Float[Tensor, "n c h w"]
    covered: str = ""
    level: float = math.nan


class Faithfulness:
    """Measurements of the maps of some test images; none if the study asks for none.

    Samples that are not single images give nothing either, because their parts cannot be covered. Each image
    is measured for the class that the model scores highest.

    Args:
        spec: of the trial.
        data: the test images.
        task: of the data.
        model: scores covered images; it stays unchanged.
        settings: of its training.
        device: of the model.
    """

    def __init__(
        self, spec: TrialSpec, data: Images, task: Task, model: Model, settings: TrainSettings, device: torch.device
    ) -> None:
        self._wanted, self._rows = FaithfulnessSettings.of(spec.explain), list[dict[str, Any]]()
        self._spec, self._data, self._task = spec, data, task
        self._model, self._settings, self._device = model, settings, device

    @property
    def asked(self) -> bool:
        """True if anything is measured."""
        return bool(self._wanted.use) and self._task.sample == "image"

    def measure(self, name: str, explain: Explain) -> None:
        """Measure the maps of one explainer, or the model's own."""
        if not self.asked:
            return
        judge = _Judge(self._wanted, self._model, self._settings, self._device, explain, self._spec.seed)
        chosen = choose(self._data, self._wanted.images)
        plain = self._settings.model_copy(update={"normalise": "unit"})
        loaders = [Loader(self._data, self._task, how, self._device) for how in (self._settings, plain)]
        for batch, raw in zip(*(loader.evaluation(chosen) for loader in loaders), strict=True):
            assert raw.images is not None
            samples = self._data.samples(batch)
            dark = black(raw.images, self._settings.normalise)
            for place, kind, found in judge.rows(batch, dark, [sample.id for sample in samples]):
                self._rows.append(
                    {**self._about(samples[place], kind, batch.labels[place, kind]), "map": name, **found}
                )

    def drop(self, name: str) -> None:
        """Remove the measurements of one kind of maps."""
        self._rows = [row for row in self._rows if row["map"] != name]

    def files(self) -> dict[str, bytes]:
        """Return `faithfulness.parquet`, if anything was measured."""
        table = pd.DataFrame(self._rows, columns=list(FAITHFULNESS))
        return {FILE: to_bytes(table, "faithfulness")} if self._rows else {}

    def _about(self, sample: Sample, kind: int, label: Tensor) -> dict[str, Any]:
        spec = self._spec
        keys = {"study": spec.study, "variant": spec.variant, "seed": spec.seed, "fold": spec.fold}
        own = {"split": self._data.name, "id": sample.id, "unit": sample.unit, "group": sample.group}
        return {**keys, **own, "class": self._task.classes[kind], "label": float(label)}


class _Judge:
    """Measurements of a batch: (index in the batch, class, columns of the table)."""

    def __init__(
        self,
        wanted: FaithfulnessSettings,
        model: Model,
        settings: TrainSettings,
        device: torch.device,
        explain: Explain,
        seed: int,
    ) -> None:
        self._wanted, self._model, self._settings, self._device = wanted, model.eval(), settings, device
        self._explain, self._seed = explain, seed
        shares = wanted.layers if "randomise" in wanted.use else []
        self._forgetful = {share: randomised(model, share, seeds.of("randomise", seed)) for share in shares}

    def rows(
        self, batch: Batch, dark: Float[Tensor, "b c 1 1"], ids: Sequence[str]
    ) -> Iterator[tuple[int, int, dict[str, Any]]]:
        out = self._run(self._model, batch)
        kinds = out.probs.argmax(1).tolist()
        before, maps = _of_classes(out, kinds), self._explain(None, batch, out, kinds)
        if maps is None:
            return
        shifts = [seeds.of("shift", self._seed, key) for key in ids]
        found = [
            (i, row)
            for i, k in enumerate(kinds)
            for row in self._covered(batch.only(i), dark[i], maps[i], k, shifted(maps[i], shifts[i]))
        ]
        for place, row in (*found, *self._compared(maps, batch, kinds)):
            own = {"before": float(before.probs[place]), "logit_before": float(before.logits[place])}
            yield place, kinds[place], {**own, **row}

    def _covered(
        self,
        batch: Batch,
        dark: Float[Tensor, "c 1 1"],
        shown: Float[Tensor, "h w"],
        kind: int,
        other: Float[Tensor, "h w"],
    ) -> Iterator[dict[str, Any]]:
        assert batch.images is not None
        for probe in probes(batch.images[0], shown, dark, self._wanted, other):
            score = self._score(batch, probe.images, kind)
            found: dict[str, Any] = {"method": probe.method, "covered": probe.covered, "level": probe.level}
            place = 0 if probe.method == "insertion" else -1  # where everything is covered
            found |= {"after": float(score.probs[place]), "logit_after": float(score.logits[place])}
            if probe.method in ("insertion", "deletion"):
                found["curve_area"] = curve_area(score.probs.cpu().numpy())
            yield found

    def _compared(
        self, maps: Float[Tensor, "b h w"], batch: Batch, kinds: list[int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield comparisons of the map with those of the randomised models, for the same classes."""
        for share, forgetful in self._forgetful.items():
            out = self._run(forgetful, batch)
            after = _of_classes(out, kinds)
            others = self._explain(forgetful, batch, out, kinds)
            assert others is not None
            for place in range(len(kinds)):
                pair = maps[place].cpu().numpy(), others[place].cpu().numpy()
                found: dict[str, Any] = {"method": "randomise", "covered": "", "level": share}
                found |= {"after": float(after.probs[place]), "logit_after": float(after.logits[place])}
                found |= {"rank_correlation": rank_correlation(*pair), "ssim": structural_similarity(*pair)}
                yield place, found

    def _score(self, batch: Batch, images: Tensor, kind: int) -> Score:
        """Return the scores of many versions of one image, a batch at a time."""
        parts = [self._run(self._model, batch.with_images(part)) for part in _parts(images, self._settings.batch_size)]
        scores = [_of_classes(out, [kind] * len(out.probs)) for out in parts]
        return Score(torch.cat([s.probs for s in scores]), torch.cat([s.logits for s in scores]))

    def _run(self, model: Model, batch: Batch) -> Output:
        return run(model, batch, self._settings, self._device)


def probes(
    image: Float[Tensor, "c h w"],
    shown: Float[Tensor, "h w"],
    dark: Float[Tensor, "c 1 1"],
    wanted: FaithfulnessSettings,
    other: Float[Tensor, "h w"] | None = None,
) -> Iterator[Probe]:
    """Yield the covered versions of one image.

    Args:
        image: the input of the model.
        shown: its map H in [0, 1].
        dark: a black pixel in the input of the model.
        wanted: methods and parameters.
        other: a second map for covers, as a chance level for maps of that area (`shifted`).

    Source: darken and zero, SaliencyCNNAnalysis (soft H, and H at or above a share of its maximum);
        insertion and deletion, Petsiuk et al. 2018, BMVC.
    """
    shown = shown.to(image)
    blank = (dark if wanted.cover == "black" else image.mean((1, 2), keepdim=True)).expand_as(image)

    def both(method: str, important: Tensor, of: str, level: float = math.nan) -> Iterator[Probe]:
        yield Probe(method, _mixed(image, blank, important)[None], f"{of}rest", level)
        yield Probe(method, _mixed(image, blank, 1 - important)[None], f"{of}important", level)

    for of, own in (("", shown), (SHIFTED, other)):
        if own is None:
            continue
        own = own.to(image)
        if "darken" in wanted.use:
            yield from both("darken", own, of)
        for threshold in wanted.thresholds if "zero" in wanted.use else ():
            yield from both("zero", important_pixels(own, threshold).to(image), of, threshold)
    if not {"insertion", "deletion"} & {*wanted.use}:
        return
    first = [kept.to(image) for kept in highest(shown, torch.linspace(0, 1, wanted.steps + 1).tolist())]
    if "insertion" in wanted.use:
        blurred = _blurred(image)
        yield Probe("insertion", torch.stack([_mixed(image, blurred, kept) for kept in first]))
    if "deletion" in wanted.use:
        yield Probe("deletion", torch.stack([_mixed(blank, image, gone) for gone in first]))


def shifted(shown: Float[Tensor, "h w"], seed: int) -> Float[Tensor, "h w"]:
    """Move the map to a random place; pixels that leave at one edge enter at the other.

    The result has the area, values and smoothness of the map at another place, so it is the chance level of the place.
    Shuffled pixels would be noise, which changes a model's score at any place.
    """
    height, width = shown.shape
    generator = torch.Generator().manual_seed(seed)
    down, right = (int(torch.randint(size, (1,), generator=generator)) for size in (height, width))
    return shown.roll((down, right), (0, 1))


def important_pixels(shown: Float[Tensor, "h w"], threshold: float) -> Bool[Tensor, "h w"]:
    """Return the pixels at which a map reaches `threshold` of its maximum; none for a map of zeros."""
    return (shown >= threshold * shown.max()) & (shown > 0)


def highest(shown: Float[Tensor, "h w"], shares: Iterable[float]) -> Iterator[Bool[Tensor, "h w"]]:
    """Yield, for each share, that share of pixels with the highest values; ties are ordered row by row."""
    order = shown.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    for share in shares:
        yield (rank < round(share * len(order))).reshape(shown.shape)


def _parts(images: Tensor, size: int) -> list[Tensor]:
    return [images[start : start + size] for start in range(0, len(images), size)]


def _mixed(image: Tensor, cover: Tensor, kept: Tensor) -> Float[Tensor, "c h w"]:
    return image * kept + cover * (1 - kept)


def _blurred(image: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    sigma = _BLUR * max(image.shape[1:])
    radius = min(math.ceil(2 * sigma), min(image.shape[1:]) - 1)
    found: Tensor = gaussian_blur(image, [2 * radius + 1] * 2, [sigma] * 2)
    return found


def _of_classes(out: Output, kinds: list[int]) -> Score:
    rows = torch.arange(len(kinds))
    logits = torch.full_like(out.probs, math.nan) if out.logits is None else out.logits
    return Score(out.probs[rows, kinds].float(), logits[rows, kinds].float())
