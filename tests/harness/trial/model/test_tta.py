"""Scores over changed copies of an image: seeded by the image, maps untouched, off unless asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Output
from harness.contract.tables import from_bytes
from harness.contract.types import TrialResult, Workspace
from harness.testing.fakes import build_squares, squares_task, tiny_spec
from harness.trial.data.augment import augment
from harness.trial.data.cache import Cache
from harness.trial.data.loader import Loader, normalised
from harness.trial.data.stage import ConfirmData, Images, Ledger
from harness.trial.model.tta import over_copies
from harness.trial.settings.training import TrainSettings
from harness.trial.trial import run_trial


@pytest.fixture
def test_images(tmp_path: Path) -> Images:
    return ConfirmData.of(Cache.ensure(build_squares(tmp_path), tmp_path / "cache"), Ledger()).test


def _loader(data: Images, **settings) -> Loader:
    return Loader(data, squares_task(), TrainSettings.of(settings), torch.device("cpu"))


def test_a_copy_depends_on_the_image_and_its_number_alone(test_images: Images):
    loader = _loader(test_images, tta=3, augment=["flip", "shift"])
    first, *rest = test_images.names[:4]
    alone = torch.stack([copy.images for copy in loader.copies([first])])
    among = torch.stack([copy.images for copy in loader.copies([*rest, first])])
    assert torch.equal(alone[:, 0], among[:, -1])
    assert len({tuple(copy.flatten().tolist()) for copy in alone}) > 1


def test_copies_carry_no_masks_and_are_normalised_after_the_change(test_images: Images):
    loader = _loader(test_images, tta=1, augment=["shift"])
    (copy,) = loader.copies(test_images.names[:1])
    assert copy.targets is None
    pixels = torch.from_numpy(test_images.split.images[[0]]).permute(0, 3, 1, 2).float() / 255
    shifts = [augment(pixels, None, ["shift"], torch.Generator().manual_seed(seed))[0] for seed in range(3)]
    assert all(normalised(shift, "image").mean().abs() < 1e-5 for shift in shifts)
    assert copy.images.mean().abs() < 1e-5


def test_scores_and_heads_are_means_over_the_copies_and_evidence_stays(test_images: Images):
    loader = _loader(test_images, tta=4, augment=["noise", "shift"])

    def run(batch: Batch) -> Output:
        bright = batch.images.flatten(1).amax(1, keepdim=True).sigmoid()
        return Output(
            probs=bright, logits=bright, heads={"half": bright / 2}, saliency=torch.ones(len(bright), 1, 2, 2)
        )

    (batch, *_) = loader.evaluation()
    plain = replace(run(batch), saliency=torch.zeros(len(batch.ids), 1, 2, 2))
    out = over_copies(plain, batch, loader, run)
    expected = torch.stack([run(copy).probs for copy in loader.copies(batch.ids)]).mean(0)
    torch.testing.assert_close(out.probs, expected)
    torch.testing.assert_close(out.heads["half"], expected / 2)
    assert out.logits is None
    assert torch.equal(out.saliency, plain.saliency)


def test_without_it_the_output_is_the_one_that_came_in(test_images: Images):
    loader = _loader(test_images, augment=["shift"])
    (batch, *_) = loader.evaluation()
    out = Output(probs=torch.rand(len(batch.ids), 1))
    assert over_copies(out, batch, loader, lambda _: pytest.fail("ran")) is out


def test_copies_without_a_change_to_make_are_refused():
    with pytest.raises(ValueError, match="is empty"):
        TrainSettings.of({"tta": 10})


def _confirmed(workspace: Workspace, tiny: Catalog, **train) -> dict[str, pd.DataFrame]:
    spec = tiny_spec(stage="confirm", train={"augment": ["shift"], **train})
    *_, result = run_trial(spec, tiny, replace(workspace, checkpoints=None))
    assert isinstance(result, TrialResult)
    assert result.state == "complete", result.reason
    return {name: from_bytes(result.files[f"{name}.parquet"]) for name in ("predictions", "maps")}


def test_a_trial_changes_the_scores_of_validation_and_test_alike_and_nothing_else(workspace: Workspace, tiny: Catalog):
    plain, averaged = _confirmed(workspace, tiny), _confirmed(workspace, tiny, tta=3)
    on = {split: plain["predictions"]["split"] == split for split in ("val", "test")}
    for split in ("val", "test"):  # thresholds are fitted on the one and used on the other
        assert (plain["predictions"][on[split]]["score"] != averaged["predictions"][on[split]]["score"]).any()
    assert plain["maps"]["dice_overlap"].equals(averaged["maps"]["dice_overlap"])
