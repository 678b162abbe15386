"""Scoring: which metrics run where, units of several images, and precision."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Output
from harness.contract.types import Sample, Task
from harness.metrics.registry import study_metrics
from harness.testing.fakes import build_squares, build_tiny_cnn, squares_task
from harness.trial.data.cache import Cache, CachedSplit
from harness.trial.data.loader import Loader
from harness.trial.data.stage import FitData, Images, Ledger
from harness.trial.model.evaluate import Scorer, autocast, by_unit, in_fp32, predict, score
from harness.trial.settings.training import TrainSettings

CPU = torch.device("cpu")


def _views(units: list[str]) -> Images:
    samples = tuple(Sample(id=str(n), group=unit, unit=unit, labels=(0.0,)) for n, unit in enumerate(units))
    split = CachedSplit("test", samples, np.zeros((len(units), 2, 2, 1), np.uint8), np.zeros((len(units), 1), "f4"))
    return Images("test", split)


def _scores(labels: list[float], probs: list[float]) -> list[tuple[Batch, Output]]:
    ids = tuple(str(n) for n in range(len(labels)))
    return [
        (
            Batch(labels=torch.tensor(labels, dtype=torch.float32)[:, None], ids=ids),
            Output(probs=torch.tensor(probs)[:, None]),
        )
    ]


def test_a_unit_scores_the_mean_of_its_images_and_has_what_one_of_them_has():
    pair = by_unit(_scores([1, 0, 0, 0], [0.8, 0.4, 0.1, 0.3]), _views(["l", "l", "r", "r"]))
    assert pair is not None
    batch, out = pair
    assert batch.ids == ("l", "r")
    assert batch.labels.flatten().tolist() == [1, 0]
    torch.testing.assert_close(out.probs.flatten(), torch.tensor([0.6, 0.2]))


def test_a_unit_is_unknown_where_an_image_is_and_none_is_positive():
    pair = by_unit(_scores([math.nan, 0, math.nan, 1], [0.1] * 4), _views(["l", "l", "r", "r"]))
    assert pair is not None
    left, right = pair[0].labels.flatten().tolist()
    assert math.isnan(left) and right == 1


def test_images_that_are_their_own_units_are_not_scored_twice():
    assert by_unit(_scores([1, 0], [0.8, 0.4]), _views(["l", "r"])) is None


@pytest.mark.parametrize(
    ("masks", "kind", "expected"),
    [
        (False, "outline", {"auroc"}),
        (True, "outline", {"auroc", "dice", "pointing"}),
        (True, "box", {"auroc", "pointing"}),
    ],
)
def test_metrics_run_where_they_have_what_they_need(catalog: Catalog, masks: bool, kind: str, expected: set[str]):
    task = Task(classes=("a", "b"), image_size=(4, 4), mask_kind=kind)
    scorer = Scorer(study_metrics(catalog, ("auroc", "dice", "pointing")), task, "test", masks=masks)
    assert {metric.key for metric in (*scorer._of_scores, *scorer._of_maps)} == expected


def test_a_model_in_eval_gives_the_same_whatever_the_batch_size(tmp_path: Path):
    data = FitData.of(Cache.ensure(build_squares(tmp_path), tmp_path), (), Ledger()).val
    model = build_tiny_cnn(squares_task(), dropout=0.5)
    found = []
    for size in (1, 5, 24):
        settings = TrainSettings.of({"batch_size": size})
        pairs = list(predict(model, Loader(data, squares_task(), settings, CPU), settings, CPU))
        assert all(not out.probs.requires_grad for _, out in pairs)
        found.append(torch.cat([out.probs for _, out in pairs]))
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_the_consumer_of_predictions_may_take_gradients(tmp_path: Path):
    data = FitData.of(Cache.ensure(build_squares(tmp_path), tmp_path), (), Ledger()).val
    settings = TrainSettings.of({})
    for _ in predict(build_tiny_cnn(squares_task()), Loader(data, squares_task(), settings, CPU), settings, CPU):
        assert torch.is_grad_enabled()


def test_outputs_come_in_fp32_whatever_the_model_computed_in():
    half = torch.rand(2, 3).bfloat16()
    boxes = torch.zeros(2, 4, dtype=torch.long)
    out = in_fp32(Output(probs=half, logits=half, heads={"a": half}, parts={"x": half, "boxes": boxes, "n": 3}))
    assert {out.probs.dtype, out.logits.dtype, out.heads["a"].dtype, out.parts["x"].dtype} == {torch.float32}
    assert out.parts["boxes"] is boxes and out.parts["n"] == 3


@pytest.mark.parametrize(
    ("has", "taken"),
    [
        ((), False),  # emulated
        (("avx512_bf16",), True),
        (("avx512_bf16", "avx512_fp16", "amx_bf16"), True),
        (("avx512_bf16", "avx512_fp16"), False),  # AMX hidden by a virtual machine
    ],
)
def test_auto_takes_bf16_where_the_processor_multiplies_it_faster(
    has: tuple[str, ...], taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(has, True))
    with autocast(TrainSettings.of({"amp": "auto"}), CPU):
        assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == (torch.bfloat16 if taken else torch.float32)


def test_a_split_without_images_scores_nothing(tiny: Catalog):
    assert score([], Scorer(study_metrics(tiny, ("auroc",)), squares_task(), "val", masks=False)) == {}
