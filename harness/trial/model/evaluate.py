"""Runs a model over a split and scores every head of it; what the tables hold is collected by `record`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from harness.contract.catalog import Catalog
from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.nn import Batch, Metric, Model, Output
from harness.contract.types import Task
from harness.trial.data.loader import Loader
from harness.trial.data.stage import Images
from harness.trial.settings.training import TrainSettings

AMP = {"off": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MASKS = "eval_masks"
"""In a metric's `needs`: it reads `batch.targets` and the model's saliency, and knows no heads."""
ATTENTION = "attention"
"""In a metric's `needs`: it reads `parts["attention"]` of the model, and knows no heads."""

Predictions = Iterable[tuple[Batch, Output]]


def predict(
    model: Model, loader: Loader, settings: TrainSettings, device: torch.device
) -> Iterator[tuple[Batch, Output]]:
    """The model's outputs in fp32 over every image of a split once, in eval mode and without gradients."""
    model.eval()
    for batch in loader.evaluation():
        yield batch, run(model, batch, settings, device)


def run(model: Model, batch: Batch, settings: TrainSettings, device: torch.device) -> Output:
    """The model's output in fp32, without gradients."""
    with torch.no_grad(), autocast(settings, device):
        return in_fp32(model(batch))


class Scorer:
    """The study's metrics over one split, of the model's own output and of each head.

    Keys are `<split>/<metric>` and `<split>/<head>/<metric>`, with `/<class>` for one class. A metric
    that needs what the split or the model does not offer (masks, outlines, saliency, attention) is left out.

    Args:
        masks: whether batches of this split carry targets.
        only_masks: leaves out the metrics that need no masks.
    """

    def __init__(
        self, catalog: Catalog, names: Sequence[str], task: Task, split: str, *, masks: bool, only_masks: bool = False
    ) -> None:
        needs = {name: catalog.get("metric", name).needs for name in names}
        self._needs = needs = {name: needs[name] for name in names if _fits(needs[name], task)}
        self._of_maps = [name for name in needs if masks and MASKS in needs[name]]
        self._of_parts = [n for n in needs if MASKS not in needs[n] and ATTENTION in needs[n] and not only_masks]
        self._of_scores = [n for n in needs if of_score(needs[n]) and not only_masks]
        self._build: Callable[[str], Metric] = lambda name: catalog.build("metric", name, task)
        self._split, self._metrics = split, dict[tuple[str, str], Metric]()

    def add(self, batch: Batch, out: Output) -> None:
        """Takes in one batch."""
        maps = self._of_maps if out.saliency is not None else []
        for name in (*maps, *self._of_parts):
            if ATTENTION not in self._needs[name] or ATTENTION in out.parts:
                self._metric("", name).update(out, batch)
        for name in self._of_scores:
            self._metric("", name).update(out, batch)
            for head, probs in out.heads.items():
                self._metric(head, name).update(replace(out, probs=probs, logits=None), batch)

    def result(self) -> dict[str, float]:
        """All figures by key."""
        found = {}
        for (head, name), metric in self._metrics.items():
            for key, value in metric.compute().items():
                found["/".join(part for part in (self._split, head, name, key) if part)] = float(value)
        return found

    def _metric(self, head: str, name: str) -> Metric:
        if (head, name) not in self._metrics:
            self._metrics[head, name] = self._build(name)
        return self._metrics[head, name]


def of_score(needs: Iterable[str]) -> bool:
    """Whether a metric of these needs reads labels and scores alone, so that each head has it."""
    return not {MASKS, ATTENTION} & set(needs)


def score(predictions: Predictions, scorer: Scorer) -> dict[str, float]:
    """The scorer's figures over all predictions."""
    for batch, out in predictions:
        scorer.add(batch, out)
    return scorer.result()


def by_unit(predictions: Predictions, data: Images) -> tuple[Batch, Output] | None:
    """One row a unit (a breast of two views, say): the mean of its images' scores; None where units are images.

    A unit has a class if one of its images has, and lacks it if all of them are known to.
    """
    units = {sample.id: sample.unit for sample in data.split.samples}
    if len(set(units.values())) == len(units):
        return None
    rows: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for batch, out in predictions:
        for key, label, probs in zip(batch.ids, batch.labels, out.probs, strict=True):
            rows.setdefault(units[key], []).append((label.cpu(), probs.cpu()))
    labels = [torch.stack([label for label, _ in pairs]) for pairs in rows.values()]
    known = [torch.where((label == 1).any(0), 1.0, label.sum(0)) for label in labels]  # a sum with NaN is NaN
    probs = [torch.stack([values for _, values in pairs]).mean(0) for pairs in rows.values()]
    return Batch(labels=torch.stack(known), ids=tuple(rows)), Output(probs=torch.stack(probs))


def autocast(settings: TrainSettings, device: torch.device) -> torch.autocast:
    """The forward pass in the study's precision, on whatever device."""
    amp = settings.amp if settings.amp != "auto" else ("bf16" if _multiplies_bf16(device) else "off")
    return torch.autocast(device.type, AMP[amp] if amp != "off" else None, enabled=amp != "off")


def _multiplies_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than fp32 here, by what the device says of itself: the same on each machine of a kind."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    has = torch.cpu.get_capabilities()
    # Intel's processors since Sapphire Rapids (avx512_fp16) multiply bf16 in their AMX unit. Where a virtual machine
    # hides it, the AVX-512 instructions for bf16 remain, slower than those for fp32 (docs/benchmarks.md).
    hidden = bool(has.get("avx512_fp16")) and not has.get("amx_bf16")
    return bool(has.get("avx512_bf16")) and not hidden


def in_fp32(out: Output) -> Output:
    """The output with every floating tensor in fp32, `parts` included."""
    return Output(
        probs=out.probs.float(),
        logits=None if out.logits is None else out.logits.float(),
        heads={name: probs.float() for name, probs in out.heads.items()},
        saliency=None if out.saliency is None else out.saliency.float(),
        parts={name: _float(value) for name, value in out.parts.items()},
    )


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def _fits(needs: Iterable[str], task: Task) -> bool:
    return KINDS_OF_TASK & set(needs) <= offers(task)
