"""Covering, curves and randomisation on images and models small enough to say what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.contract.components import Component
from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.nn import Batch, Explainer, Model, Output
from harness.contract.tables import FAITHFULNESS, from_bytes
from harness.contract.tables import FAITHFULNESS_METHODS as METHODS
from harness.contract.types import Task, TrialResult, TrialSpec, Workspace
from harness.tables.measure.decision_chart import decision_chart
from harness.tables.measure.faithfulness_table import faithfulness_table
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import build_tiny_cnn, squares_task, tiny_spec
from harness.trial.confirm.faithfulness import highest, important_pixels, probes, shifted
from harness.trial.confirm.randomise import randomised
from harness.trial.data.loader import black, normalised
from harness.trial.settings.faithfulness import FaithfulnessSettings
from harness.trial.trial import measure, run_trial

IMAGE = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
SHOWN = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
DARK = torch.full((1, 1, 1), -1.0)


def _covered(**table: Any) -> dict[tuple[str, str], Tensor]:
    found = probes(IMAGE, SHOWN, DARK, FaithfulnessSettings(**table))
    return {(probe.method, probe.covered): probe.images[:, 0] for probe in found}


def test_darkening_mixes_with_black_by_the_map():
    found = _covered(use=["darken"])
    assert found["darken", "rest"].tolist() == [[[-1.0, -0.25], [1.0, 4.0]]]
    assert found["darken", "important"].tolist() == [[[1.0, 1.25], [1.0, -1.0]]]


def test_zeroing_covers_whole_pixels_from_the_threshold_on():
    found = _covered(use=["zero"], thresholds=[0.5])
    assert found["zero", "rest"].tolist() == [[[-1, -1], [3, 4]]]
    assert found["zero", "important"].tolist() == [[[1, 2], [-1, -1]]]


def test_the_mean_covers_as_well():
    assert _covered(use=["zero"], thresholds=[1.0], cover="mean")["zero", "rest"].tolist() == [[[2.5, 2.5], [2.5, 4]]]


def test_nothing_is_important_on_a_map_of_zeros():
    assert not important_pixels(torch.zeros(2, 2), 0.5).any()
    assert important_pixels(0.1 * SHOWN, 0.5).tolist() == [[False, False], [True, True]]


def test_deletion_takes_the_highest_pixels_first_and_ends_with_all_covered():
    found = _covered(use=["deletion"], steps=4)["deletion", ""]
    assert found.tolist() == [
        [[1, 2], [3, 4]],
        [[1, 2], [3, -1]],
        [[1, 2], [-1, -1]],
        [[1, -1], [-1, -1]],
        [[-1] * 2] * 2,
    ]


def test_insertion_begins_blurred_and_ends_with_the_image():
    image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    shown = torch.linspace(0, 1, 1024).reshape(32, 32)
    (probe,) = probes(image, shown, DARK, FaithfulnessSettings(use=["insertion"], steps=4))
    first, *_, last = probe.images
    assert torch.equal(last, image) and first.var() < 0.5 * image.var()
    assert torch.equal(probe.images[2][:, 16:], image[:, 16:]) and torch.equal(probe.images[2][:, :16], first[:, :16])


def test_a_moved_map_has_the_same_values_elsewhere_and_every_place_is_as_likely():
    shown = torch.arange(12.0).reshape(3, 4)
    assert torch.equal(shifted(shown, 5), shifted(shown, 5))
    places = [int(shifted(shown, seed).argmax()) for seed in range(1200)]
    counts = torch.bincount(torch.tensor(places), minlength=12)
    assert ((counts - 100).abs() < 40).all()  # four standard deviations
    moved = shifted(shown, 1)
    assert torch.equal(moved.flatten().sort().values, shown.flatten())
    assert torch.equal(shifted(torch.ones(3, 4), 1), torch.ones(3, 4))


def test_the_moved_map_covers_as_the_map_does():
    settings, moved = FaithfulnessSettings(use=["darken", "zero"], thresholds=[0.5]), SHOWN.roll(1, 1)
    found = list(probes(IMAGE, SHOWN, DARK, settings, moved))
    alone = list(probes(IMAGE, moved, DARK, settings))
    assert [probe.covered for probe in found[4:]] == [f"shifted_{probe.covered}" for probe in alone]
    assert all(torch.equal(own.images, other.images) for own, other in zip(found[4:], alone, strict=True))


def test_equal_pixels_are_taken_row_by_row():
    assert next(highest(torch.ones(2, 2), [0.5])).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("how", ["unit", "image", "imagenet"])
def test_black_is_what_a_black_pixel_becomes(how: str):
    images = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    images[:, :, 2, 3] = 0
    torch.testing.assert_close(black(images, how)[:, :, 0, 0], normalised(images, how)[:, :, 2, 3])


def test_randomisation_takes_layers_from_the_output_on_and_leaves_the_model_alone():
    model = build_tiny_cnn(squares_task())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    lost = {}
    for share in (1 / 3, 2 / 3, 1.0):  # saliency, then batch-norm (which begins as it began), then the convolution
        made = randomised(model, share, 5).state_dict()
        lost[share] = {name for name, value in made.items() if not torch.equal(value, before[name])}
    assert lost[1 / 3] == {"saliency.weight", "saliency.bias"} == lost[2 / 3]
    assert lost[1.0] == lost[1 / 3] | {"features.0.weight", "features.0.bias"}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = randomised(model, 1.0, 5).state_dict()
    assert all(torch.equal(again[name], value) for name, value in randomised(model, 1.0, 5).state_dict().items())


def test_randomisation_uses_up_no_random_numbers():
    state = torch.get_rng_state()
    randomised(build_tiny_cnn(squares_task()), 1.0, 0)
    model = torch.get_rng_state()
    torch.set_rng_state(state)
    build_tiny_cnn(squares_task())
    assert torch.equal(torch.get_rng_state(), model)


class Drawn:
    """Explainers: one that sees the image alone, and ones that fail; and a model that nothing is hidden of."""

    @hookimpl
    def harness_architectures(self) -> list[Component[Model]]:
        return [Component(name="peak", build=build_peak, summary="s", provides=frozenset({"saliency"}))]

    @hookimpl
    def harness_explainers(self) -> list[Component[Explainer]]:
        return [Component(name=name, build=build, summary="s") for name, build in BUILDERS.items()]


class _Peak(Model):
    """Scores the brightest and the darkest pixel; its saliency is each pixel's brightness, or darkness."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(2))

    def forward(self, batch: Batch) -> Output:
        assert batch.images is not None
        maps = torch.cat((batch.images, -batch.images), 1) - 3
        logits = maps.amax((2, 3)) + 0 * self.bias
        return Output(probs=logits.sigmoid(), logits=logits, saliency=(2 * maps).sigmoid())

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        return {"none": self.bias.square().sum()}


def build_peak(task: Task, /) -> Model:
    return _Peak()


class _Edges(Explainer):
    """The image itself, whatever the model."""

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        assert batch.images is not None
        low, high = batch.images.amin((1, 2, 3), keepdim=True), batch.images.amax((1, 2, 3), keepdim=True)
        return ((batch.images - low) / (high - low))[:, 0]


class _Everything(Explainer):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        assert batch.images is not None
        return torch.ones_like(batch.images[:, 0])


class _Noise(Explainer):
    """Blocks of noise that depend on the image's size alone."""

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        assert batch.images is not None
        drawn = torch.rand(batch.images.shape[2:], generator=torch.Generator().manual_seed(7))
        return drawn.expand(len(batch.images), *drawn.shape)


class _Unfit(Explainer):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        raise TypeError("'unfit' explains trees only")


class _Broken(Explainer):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Tensor:
        raise RuntimeError("'broken' cannot explain TinyCnn: no luck")


BUILDERS = {
    "everything": lambda: _Everything(),
    "noise": lambda: _Noise(),
    "edges": lambda: _Edges(),
    "unfit": lambda: _Unfit(),
    "broken": lambda: _Broken(),
}


@pytest.fixture
def drawn(tiny: Catalog) -> Catalog:
    tiny.register(Drawn())
    return tiny


def _spec(*explainers: str, **faithfulness: Any) -> TrialSpec:
    settings = {"use": list(METHODS), "images": 6, "thresholds": [0.5], "steps": 4, "layers": [0.5, 1.0]}
    explain = {"use": list(explainers), "images": 2, "faithfulness": {**settings, **faithfulness}}
    return tiny_spec(stage="confirm", train={"epochs": 1}, explain=explain)


def _end(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> TrialResult:
    *_, result = run_trial(spec, catalog, workspace)
    assert isinstance(result, TrialResult)
    return result


def test_a_confirmation_leaves_the_table_that_was_asked_for(drawn: Catalog, workspace: Workspace):
    result = _end(_spec("edges"), drawn, workspace)
    assert (result.state, result.reason) == ("complete", "")
    rows = from_bytes(result.files["faithfulness.parquet"])
    assert tuple(rows.columns) == FAITHFULNESS and set(rows["split"]) == {"test"}
    assert rows.groupby(["map", "method"]).size().to_dict() == {
        (name, method): 6 * {"darken": 4, "zero": 4, "randomise": 2}.get(method, 1)
        for name in ("native", "edges")
        for method in METHODS
    }
    assert rows.groupby("id")["class"].nunique().eq(1).all() and rows["id"].nunique() == 6
    scores = from_bytes(result.files["predictions.parquet"])
    scores = scores[(scores["split"] == "test") & (scores["head"] == "output")].set_index(["id", "class"])["score"]
    for (key, name), own in rows.groupby(["id", "class"]):
        assert own["before"].to_numpy() == pytest.approx(scores[key, name], abs=1e-6)
        assert scores[key, name] == scores[key].max()

    table = faithfulness_table(rows, resamples=100).set_index(["map", "method"])
    assert (table.loc[("edges", "randomise"), "rank_correlation"] > 0.999).all()  # a map of the image alone
    assert (table.loc[("native", "randomise"), "rank_correlation"] < 0.999).all()


def test_a_map_of_what_the_score_is_made_of_passes_every_measure(drawn: Catalog, workspace: Workspace):
    spec = _spec("everything", "noise", use=["darken", "zero", "insertion", "deletion"], cover="mean", images=12)
    result = _end(replace(spec, tree={**spec.tree, "model": {"use": "peak"}}), drawn, workspace)
    rows = from_bytes(result.files["faithfulness.parquet"])
    whole = faithfulness_table(rows, resamples=100)
    reliable = decision_chart(whole, {}, {}).set_index(["map", "method"])["reliable"]
    assert reliable.to_dict() == {(name, method): name == "native" for name, method in reliable.index}
    assert (whole.query("map == 'everything' and method == 'zero'")["margin_gain"] == 0).all()
    table = whole[whole["map"] == "native"].set_index("method")
    for method in ("darken", "zero"):
        assert table.loc[method, "margin_low"] > 0
        assert table.loc[method, "important_drop"] > table.loc[method, "rest_drop"]
    assert table.loc["insertion", "curve_area"] > table.loc["deletion", "curve_area"]


def test_what_is_not_asked_for_costs_nothing(drawn: Catalog, workspace: Workspace):
    spec = _spec("edges", use=[])
    result = _end(replace(spec, explain={"use": ["edges"], "images": 2}), drawn, workspace)
    assert "faithfulness.parquet" not in result.files


def test_it_is_measured_from_saved_weights_as_well(drawn: Catalog, workspace: Workspace):
    spec = _spec("edges", use=["zero", "deletion", "randomise"])
    result = _end(spec, drawn, workspace)
    again = measure(spec, drawn, workspace, result.files["weights.safetensors"], lambda: None)
    first, second = (from_bytes(item.files["faithfulness.parquet"]) for item in (result, again))
    assert first.equals(second)


def test_an_explainer_of_other_models_is_left_out_and_says_why(drawn: Catalog, workspace: Workspace):
    result = _end(_spec("unfit", "edges", use=["zero"]), drawn, workspace)
    assert result.state == "complete"
    assert result.files["explainers_left_out.txt"] == b"unfit: 'unfit' explains trees only\n"
    assert set(from_bytes(result.files["faithfulness.parquet"])["map"]) == {"native", "edges"}


def test_an_explainer_that_fails_is_left_out_by_name(drawn: Catalog, workspace: Workspace):
    result = _end(_spec("broken", "edges", use=["zero"]), drawn, workspace)
    assert result.state == "complete"
    assert b"broken: " in result.files["explainers_left_out.txt"]
    assert b"'broken' cannot explain TinyCnn: no luck" in result.files["explainers_left_out.txt"]
    assert set(from_bytes(result.files["faithfulness.parquet"])["map"]) == {"native", "edges"}


def test_the_built_in_explainers_run_in_a_confirmation(catalog: Catalog, tiny: Catalog, workspace: Workspace):
    tiny._components["explainer"] |= catalog._components["explainer"]
    result = _end(_spec("gradcam", "saliency", use=["darken"], images=2), tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")
    assert set(from_bytes(result.files["maps.parquet"])["map"]) == {"native", "gradcam", "saliency"}
    assert TinyCnn.explain_layer is not Model.explain_layer


def test_an_explainer_that_is_not_installed_is_told(drawn: Catalog, workspace: Workspace):
    with pytest.raises(InputError, match="edgs.*did you mean 'edges'"):
        _end(_spec("edgs"), drawn, workspace)
