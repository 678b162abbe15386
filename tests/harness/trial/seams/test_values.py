"""Values at the seams: what breaks the contract is stopped there and named, and what diverges is called so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.contract.errors import ContractError, InputError, MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Backbone, Batch, Model, Output, Pooled, Pooling
from harness.contract.types import Objective, TrialResult, Workspace
from harness.metrics.functional import Scores
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import area, tiny_spec
from tests.harness.trial.seams.strangers import NAMED, architecture, end, events, metric, register, swapped


def changed(change: Callable[[Output], Output], training: bool | None = None) -> Callable[..., Output]:
    """Return a forward whose output is changed; in one mode only, if it is given."""

    def forward(self: Model, batch: Batch) -> Output:
        out = TinyCnn.forward(self, batch)
        return change(out) if training in (None, self.training) else out

    return forward


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda out: swapped(out, probs=out.probs * math.nan), "gave the output probs that is not finite, but .*"),
        (
            lambda out: swapped(out, probs=out.probs + 1),
            r"gave probs from 1\.\d+ to [12]\.?\d*, but values in \[0, 1\].*",
        ),
        (lambda out: swapped(out, saliency=out.saliency - 1), r"gave saliency from -\S+ to -?\S+, but .*"),
        (lambda out: swapped(out, probs=out.probs[:, :1]), r"gave probs float32 \(8, 1\), but float \(8, 2\) .*"),
        (
            lambda out: swapped(out, heads={"peak": out.probs.long()}),
            r"gave peak int64 \(8, 2\), but float \(8, 2\) .*",
        ),
        (lambda out: swapped(out, saliency=out.probs), r"gave saliency float32 \(8, 2\), but float \(8, 2, i, j\) .*"),
        (lambda out: out.probs.mean().item(), r"gave \d\.\d+, but an Output is expected"),
    ],
    ids=["nan", "above 1", "below 0", "shape", "type", "maps", "no output"],
)
def test_an_output_that_breaks_the_contract_fails_the_trial_at_the_first_batch(
    tiny: Catalog, workspace: Workspace, change: Any, reason: str
) -> None:
    register(tiny, "architecture", strange=architecture(changed(change)))
    (found,) = events(tiny_spec(model={"use": "strange"}), tiny, workspace)
    assert isinstance(found, TrialResult) and found.state == "failed"
    assert re.match(f"architecture 'strange'{NAMED}{reason}", found.reason), found.reason
    assert "an Output" in reason or "; the law " in found.reason


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (lambda self, out, batch: {"bce": out.probs.mean() * math.nan}, r"gave the loss \(bce\) that is not finite"),
        (lambda self, out, batch: {}, r"gave the losses \{\}, but a dict of one or more scalars"),
        (lambda self, out, batch: {"bce": out.probs}, r"gave the loss bce float32 \(8, 2\), but a float scalar"),
        (lambda self, out, batch: None, "gave the losses None"),
    ],
)
def test_losses_of_the_untrained_model_are_finite_scalars(
    tiny: Catalog, workspace: Workspace, losses: Any, reason: str
) -> None:
    register(tiny, "architecture", strange=architecture(losses=losses))
    found = end(tiny_spec(model={"use": "strange"}), tiny, workspace)
    assert re.match(f"architecture 'strange'{NAMED}{reason}", found.reason), found.reason


@pytest.mark.parametrize(
    ("training", "where"), [(True, "epoch 1, step 3 of 6"), (False, "epoch 1$")], ids=["training", "validation"]
)
def test_what_is_not_finite_after_learning_has_diverged(
    tiny: Catalog, workspace: Workspace, training: bool, where: str
) -> None:
    steps = iter(range(100))

    def change(out: Output) -> Output:
        return replace(out, probs=out.probs * math.nan) if not training or next(steps) == 2 else out

    register(tiny, "architecture", diverges=architecture(changed(change, training)))
    found = end(tiny_spec(model={"use": "diverges"}), tiny, workspace)
    assert re.match(f"the output probs is not finite in {where}", found.reason), found.reason


def test_rounding_is_no_fault(tiny: Catalog, workspace: Workspace) -> None:
    register(tiny, "architecture", rounds=architecture(changed(lambda out: replace(out, probs=out.probs + 1e-3))))
    assert end(tiny_spec(model={"use": "rounds"}), tiny, workspace).state == "complete"


class Doubled(Pooling):
    """A mean that keeps an axis too many."""

    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        return swapped(Pooled(x.mean(1)), value=x.mean(1, keepdim=True))


class Raising(Pooling):
    """A pooling that fails inside torch."""

    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        return Pooled(torch.cat([x, x[:, :, :0]], 0).mean(1))


class Shifted(Backbone):
    """A backbone that promises other features than it gives."""

    features, stride = 3, 2

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1, 4, 3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


@pytest.mark.parametrize(
    ("kind", "build", "reason"),
    [
        (
            "pooling",
            lambda features, outputs, /: Doubled(),
            r"gave the value float32 \(8, 1, \d+\), but float \(8, \d+\) .*",
        ),
        (
            "backbone",
            lambda channels, /: Shifted(),
            r"gave the feature map float32 \(8, 4, 8, 8\), but float \(8, 3, 8, 8\).*",
        ),
    ],
)
def test_a_part_is_named_and_not_the_architecture_around_it(
    catalog: Catalog, tiny: Catalog, workspace: Workspace, kind: str, build: Any, reason: str
) -> None:
    found = end(tiny_spec(model=with_part(catalog, tiny, kind, build)), tiny, workspace)
    assert re.match(f"{kind} 'strange'{NAMED}{reason}; the law ", found.reason), found.reason


def test_a_failure_inside_a_pooling_is_blamed_on_the_pooling(
    catalog: Catalog, tiny: Catalog, workspace: Workspace
) -> None:
    model = with_part(catalog, tiny, "pooling", lambda features, outputs, /: Raising())
    found = end(tiny_spec(model=model), tiny, workspace)
    assert re.search(r"\(raised in .*pooling 'strange'", found.reason), found.reason


def test_a_builder_that_returns_nothing_is_named(catalog: Catalog, tiny: Catalog, workspace: Workspace) -> None:
    found = end(
        tiny_spec(model=with_part(catalog, tiny, "pooling", lambda features, outputs, /: None)), tiny, workspace
    )
    assert re.match(f"pooling 'strange'{NAMED}gave nothing when it was built", found.reason), found.reason


def test_a_part_that_cannot_be_built_is_named(catalog: Catalog, tiny: Catalog, workspace: Workspace) -> None:
    def build(features: int, outputs: int, /) -> Pooling:
        raise ValueError("no such size")

    found = end(tiny_spec(model=with_part(catalog, tiny, "pooling", build)), tiny, workspace)
    assert found.reason == (
        "the model cannot be built: architecture 'cnn': pooling 'strange' (acme-parts 1.2): no such size"
    )


def with_part(catalog: Catalog, tiny: Catalog, kind: str, build: Any) -> dict[str, Any]:
    """Return the table of a cnn with a part of a stranger."""
    for name in ("architecture", "backbone", "pooling"):
        tiny._components[name] |= catalog._components[name]
    register(tiny, kind, strange=build)
    return {"use": "cnn", "backbone": {"use": "unit_resnet"}, kind: {"use": "strange"}}


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda terms, weights, /: "high", "gave 'high', but a number, finite or NaN"),
        (lambda terms, weights, /: None, "gave None, but a number"),
        (lambda terms, weights, /: math.inf, "gave inf, but a number"),
        (lambda terms, weights, /: 3.0, r"gave a value from 3 to 3, but a value in \[0, 1\]"),
        (lambda terms, weights, /: [0.1, 0.2], r"gave \[0\.1, 0\.2\], but a number"),
    ],
)
def test_a_metric_gives_a_number_in_its_bounds(tiny: Catalog, workspace: Workspace, build: Any, reason: str) -> None:
    register(tiny, "metric", strange=metric(build))
    found = end(tiny_spec(metrics=("auroc", "strange")), tiny, workspace)
    assert found.state == "complete" and math.isnan(found.metrics["val/strange"]), found.reason
    (note,) = found.notes
    assert re.match(f"metric 'strange'{NAMED}{reason}", note), note


def test_a_broken_metric_that_selects_epochs_fails_the_trial(tiny: Catalog, workspace: Workspace) -> None:
    register(tiny, "metric", strange=metric(lambda terms, weights, /: "high"))
    spec = replace(tiny_spec(metrics=("auroc", "strange")), objective=Objective(metric="val/strange"))
    found = end(spec, tiny, workspace)
    assert found.state == "failed" and re.match(f"metric 'strange'{NAMED}gave 'high'", found.reason), found.reason


def test_a_failure_inside_a_metric_is_blamed_on_the_metric(tiny: Catalog, workspace: Workspace) -> None:
    register(tiny, "metric", strange=metric(lambda terms, weights, /: np.linalg.inv(np.zeros((2, 2)))))
    found = end(tiny_spec(metrics=("auroc", "strange")), tiny, workspace)
    assert found.state == "complete"
    assert found.notes == ("metric 'strange' (acme-parts 1.2): LinAlgError: Singular matrix",)


def test_a_metric_cannot_write_into_what_the_next_one_reads(tiny: Catalog, workspace: Workspace) -> None:
    def spoils(terms: Scores, weights: Any, /) -> Any:
        value = area(terms, weights)
        terms.scores[:] = 0
        return value

    register(tiny, "metric", strange=metric(spoils))
    found = end(tiny_spec(metrics=("strange", "auroc")), tiny, workspace)
    (note,) = found.notes
    assert "read-only" in note and "metric 'strange'" in note
    assert found.metrics["val/auroc"] == end(tiny_spec(), tiny, workspace).metrics["val/auroc"]


@pytest.mark.parametrize("error", [InputError, MachineError])
def test_an_error_of_the_study_or_machine_stays_one(error: type[Exception]) -> None:
    assert not issubclass(error, ContractError)
