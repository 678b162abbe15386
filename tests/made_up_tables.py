"""Tables of three made-up variants: `gmic`, a slightly worse `gap`, and `blind`, which has no saliency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.contract.tables import OWN_HEAD, OWN_MAP
from harness.metrics.functional import map_terms

CLASSES = ("benign", "malignant")
SHIFTS = {"gmic": 2.0, "gap": 1.4, "blind": 0.0}
PATIENTS, IMAGES = 40, 80


def draw_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions (own output and head `global`) and maps of three variants, two seeds, 80 test images."""
    shared = np.random.default_rng(0)
    labels = (shared.random((IMAGES, 2)) < 0.5).astype(float)
    labels[0, 0] = np.nan
    masks = np.zeros((IMAGES, 2, 16, 12), np.uint8)
    masks[labels == 1, 4:10, 3:8] = 1
    masks[5] = 0  # where positive, its mask is not known
    of_patient, of_image = shared.normal(size=(PATIENTS, 2)), shared.normal(size=(IMAGES, 2))
    noise = 0.8 * of_patient[np.arange(IMAGES) % PATIENTS] + 0.6 * of_image  # the images of a patient are alike
    predictions, maps = [], []
    for variant, shift in SHIFTS.items():
        for seed in (0, 1):
            random = np.random.default_rng([seed, 1])
            for image in range(IMAGES):
                own = {"study": "made_up", "variant": variant, "seed": seed, "fold": None, "split": "test"}
                own |= {"id": f"i{image}", "unit": f"i{image}", "group": f"p{image % PATIENTS}"}
                for k, name in enumerate(CLASSES):
                    row = {**own, "class": name, "label": labels[image, k]}
                    score = shift * np.nan_to_num(labels[image, k]) + noise[image, k] + 0.2 * random.normal()
                    for head, drop in ((OWN_HEAD, 0.0), ("global", 0.5)):
                        probability = 1 / (1 + np.exp(drop * random.normal() - score))
                        predictions.append({**row, "head": head, "score": probability})
                    if variant != "blind":
                        known = not (labels[image, k] == 1 and not masks[image, k].any())
                        saliency = np.clip(0.2 * shift * masks[image, k] + 0.3 * random.random((16, 12)), 0, 1)
                        terms = map_terms(saliency, masks[image, k] if known else None)
                        maps.append({**row, "map": OWN_MAP, **terms})
    return pd.DataFrame(predictions), pd.DataFrame(maps)


@pytest.fixture(scope="session")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return draw_tables()


@pytest.fixture(scope="session")
def trials() -> pd.DataFrame:
    """Three searched trials a variant, one of them failed and one pruned, and two confirmations."""
    rows = []
    for variant, shift in SHIFTS.items():
        for number, state in enumerate(("complete", "pruned", "failed")):
            value = {"complete": 0.5 + shift / 5, "pruned": 0.99, "failed": np.nan}[state]
            reason = "ValueError: loss is NaN" if state == "failed" else ""
            rows.append([variant, "search", number, 0, state, value, 4 - number, 2.5, reason])
        for seed in (0, 1):
            rows.append([variant, "confirm", seed, seed, "complete", 0.45 + shift / 5, 4, 2.5, ""])
    columns = ["variant", "stage", "number", "seed", "state", "value", "epochs", "seconds", "reason"]
    return pd.DataFrame(rows, columns=columns)
