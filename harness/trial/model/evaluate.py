"""Evaluation of a model over a split, with metrics of each head. `record` collects the rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from harness.contract.nn import Batch, Model, Output
from harness.contract.types import Task
from harness.metrics.metric import Metric
from harness.metrics.registry import fits
from harness.trial.data.loader import Loader
from harness.trial.data.stage import Images
from harness.trial.model.measure import ATTENTION, Collector, collector, direct
from harness.trial.seams.blind import unlabelled
from harness.trial.seams.outputs import check_range, extremes, forward
from harness.trial.settings.training import TrainSettings

AMP = {"off": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MASKS = "eval_masks"
"""In a metric's `needs`: it reads `batch.targets` and the model's saliency, not its heads."""

Predictions = Iterable[tuple[Batch, Output]]


def predict(
    model: Model, loader: Loader, settings: TrainSettings, device: torch.device, *, labelled: bool = False
) -> Iterator[tuple[Batch, Output]]:
    """Yield the model's outputs in fp32 for every image of a split once, in eval mode and without gradients.

    The batch that is yielded has its labels and masks; `forward` receives them if `labelled` is True, which is for
    training images only.
    """
    model.eval()
    for batch in loader.evaluation():
        yield batch, run(model, batch, settings, device, labelled=labelled)


def run(model: Model, batch: Batch, settings: TrainSettings, device: torch.device, *, labelled: bool = False) -> Output:
    """Return the model's output in fp32, without gradients; without `labelled` it sees no labels and no masks.

    Raises:
        ContractError: a score or map has another form, is not finite or lies outside [0, 1].
    """
    with torch.no_grad(), autocast(settings, device):
        out = in_fp32(forward(model, batch if labelled else unlabelled(batch)))
        if out.saliency is not None:
            out = replace(out, grid=model.grid(batch))
    check_range(model, out, extremes(out).tolist())
    return out


class Scorer:
    """The study's metrics over one split, for the model's own output and each head.

    Keys are `<split>/<metric>` and `<split>/<head>/<metric>`, with `/<class>` for one class. A metric
    that needs what the split or the model does not offer (masks, outlines, saliency, attention) is left out.

    Args:
        metrics: of the study; those that are fitted or read lesions are left out (`measure.direct`).
        task: what is learned.
        split: the first part of each key.
        masks: True if batches of this split have targets.
        only_masks: True to leave out the metrics that need no masks.
    """

    def __init__(
        self, metrics: Iterable[Metric], task: Task, split: str, *, masks: bool, only_masks: bool = False
    ) -> None:
        own = [metric for metric in metrics if direct(metric) and fits(metric.record, task)]
        self._of_maps = [metric for metric in own if masks and MASKS in metric.record.needs]
        parts = [metric for metric in own if metric.record.reads == "weights" and not only_masks]
        self._of_parts = parts
        self._of_scores = [metric for metric in own if of_score(metric) and not only_masks]
        self._task, self._split = task, split
        self._collectors: dict[tuple[str, str], Collector] = {}

    def add(self, batch: Batch, out: Output) -> None:
        """Add one batch."""
        maps = self._of_maps if out.saliency is not None else []
        for metric in (*maps, *self._of_parts):
            if ATTENTION not in metric.record.needs or ATTENTION in out.parts:
                self._collector("", metric).update(out, batch)
        for metric in self._of_scores:
            self._collector("", metric).update(out, batch)
            for head, probs in out.heads.items():
                self._collector(head, metric).update(replace(out, probs=probs, logits=None), batch)

    def result(self) -> dict[str, float]:
        """Return all values by key."""
        found = {}
        for (head, name), collected in self._collectors.items():
            for key, value in collected.compute().items():
                found["/".join(part for part in (self._split, head, name, key) if part)] = float(value)
        return found

    def _collector(self, head: str, metric: Metric) -> Collector:
        if (head, metric.key) not in self._collectors:
            self._collectors[head, metric.key] = collector(metric, self._task)
        return self._collectors[head, metric.key]


def of_score(metric: Metric) -> bool:
    """Return True if a metric reads labels and scores alone, so that each head has it."""
    return metric.record.reads in ("scores", "winners")


def score(predictions: Predictions, scorer: Scorer) -> dict[str, float]:
    """Return the scorer's values over all predictions."""
    for batch, out in predictions:
        scorer.add(batch, out)
    return scorer.result()


def by_unit(predictions: Predictions, data: Images) -> tuple[Batch, Output] | None:
    """Return one row per unit, such as a breast of two views, with the mean of its images' scores.

    A unit is positive if one of its images is, and negative if all of them are known to be. Returns None if units
    are images.
    """
    if len({sample.unit for sample in data.split.samples}) == len(data):
        return None
    rows: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for batch, out in predictions:
        for sample, label, probs in zip(data.samples(batch), batch.labels, out.probs, strict=True):
            rows.setdefault(sample.unit, []).append((label.cpu(), probs.cpu()))
    labels = [torch.stack([label for label, _ in pairs]) for pairs in rows.values()]
    known = [torch.where((label == 1).any(0), 1.0, label.sum(0)) for label in labels]  # a sum with NaN is NaN
    probs = [torch.stack([values for _, values in pairs]).mean(0) for pairs in rows.values()]
    return Batch(labels=torch.stack(known), ids=tuple(rows)), Output(probs=torch.stack(probs))


def autocast(settings: TrainSettings, device: torch.device) -> torch.autocast:
    """Return the autocast context of the forward pass, in the study's precision."""
    amp = settings.amp if settings.amp != "auto" else ("bf16" if _multiplies_bf16(device) else "off")
    return torch.autocast(device.type, AMP[amp] if amp != "off" else None, enabled=amp != "off")


def _multiplies_bf16(device: torch.device) -> bool:
    """Return True if bf16 is faster than fp32 by the device's reported capabilities."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    has = torch.cpu.get_capabilities()
    # Intel's processors since Sapphire Rapids (avx512_fp16) multiply bf16 in their AMX unit. If a virtual machine
    # hides it, the AVX-512 instructions for bf16 remain, slower than those for fp32 (docs/benchmarks.md).
    hidden = bool(has.get("avx512_fp16")) and not has.get("amx_bf16")
    return bool(has.get("avx512_bf16")) and not hidden


def in_fp32(out: Output) -> Output:
    """Return the output with every floating tensor in fp32, `parts` included."""
    return Output(
        probs=out.probs.float(),
        logits=None if out.logits is None else out.logits.float(),
        heads={name: probs.float() for name, probs in out.heads.items()},
        saliency=None if out.saliency is None else out.saliency.float(),
        parts={name: _float(value) for name, value in out.parts.items()},
    )


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
