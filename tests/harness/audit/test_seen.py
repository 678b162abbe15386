"""New images that were in training are named, those that resemble one too."""

from __future__ import annotations

import numpy as np

from harness.audit.seen import seen_in_training
from tests.harness.audit.test_duplicates import as_jpeg, tissue


def test_images_of_training_and_their_changed_copies_are_named(tmp_path):
    trained = np.stack([tissue(seed) for seed in range(4)])
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train" / "images.npy", trained)
    new = {"other": tissue(9), "same": trained[1], "jpeg": as_jpeg(trained[2])}
    assert seen_in_training(tmp_path, list(new), new.values()) == (
        "1 of 3 images were in training: same; 1 of 3 images are near duplicates of training images: jpeg"
    )
    assert seen_in_training(tmp_path, ["other"], [tissue(9)]) == ""
    assert seen_in_training(tmp_path / "gone", ["same"], [trained[1]]) == ""
