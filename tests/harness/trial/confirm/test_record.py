"""The tables of a confirmed model: overlaps are of the reduced mask, pointing and lesions of the outline itself."""

from __future__ import annotations

import numpy as np
import torch

from harness.contract.nn import Batch, Targets
from harness.metrics.functional import soft_dice
from harness.testing import tiny_spec
from harness.trial.confirm.record import Record
from harness.trial.data.cache import Cache
from harness.trial.data.stage import ConfirmData, Ledger
from tests.harness.trial.data.test_originals import FULL, SIZE, Small


def test_pointing_and_lesions_are_of_the_outline_and_dice_of_the_reduced_mask(tmp_path):
    data = ConfirmData.of(Cache.ensure(Small(), tmp_path), Ledger()).test
    assert data.outlines is not None
    masks, known = data.outlines.of(np.array([0, 1])), data.outlines.known
    batch = Batch(
        labels=torch.from_numpy(data.split.labels),
        ids=data.names,
        groups=data.groups,
        targets=Targets(masks=torch.from_numpy(masks).float(), known=torch.from_numpy(known)),
    )
    maps = torch.zeros(2, 2, *SIZE)
    maps[0, 0, 8, 4] = 1.0  # the cell that the reduced mask keeps; the lesion covers 24 of its 100 pixels
    record = Record(tiny_spec(stage="confirm"), Small().task)
    record.add_maps(data, batch, "native", maps)
    tables = record.tables()
    row = tables.maps[(tables.maps["id"] == "4") & (tables.maps["class"] == "a")].iloc[0]
    assert row["peak_hit"] == 24 / 100
    assert soft_dice(row["dice_overlap"], row["dice_sum"]) == 1.0
    (lesion,) = tables.lesions.to_dict("records")
    assert lesion["area"] == 24 / (FULL[0] * FULL[1])
    assert [lesion[name] for name in ("x0", "y0", "x1", "y1")] == [4, 8, 5, 9]


def test_shuffled_images_keep_their_outlines(tmp_path):
    data = ConfirmData.of(Cache.ensure(Small(), tmp_path), Ledger()).test
    for seed in range(4):
        shuffled = data.shuffled(seed)
        assert shuffled.outlines is not None
        for row, labels in enumerate(shuffled.split.labels):
            original, mask = shuffled.outlines.original(row), shuffled.outlines.of(np.array([row]))[0]
            assert (original is not None) == bool(mask.any()) == bool(labels[0])
