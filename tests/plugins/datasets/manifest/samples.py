"""Writes tiny tables of mammograms and of bags, and their images, for tests of manifests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (60, 44)
PARTS = ("train", "val", "test")


def exam_rows(patients: int = 12) -> list[dict[str, str]]:
    """Both views of both breasts; of p1 one image only, of p2 no right breast, of p3 no right MLO."""
    lacking = {"p1": ("L-MLO", "R-CC", "R-MLO"), "p2": ("R-CC", "R-MLO"), "p3": ("R-MLO",)}
    return [
        {
            "image": f"images/{patient}-{side}-{view}.png",
            "patient_id": patient,
            "exam_id": f"e{number}",
            "breast": f"{patient}_{side}",
            "side": side,
            "view": view,
            "label_a": str((number + (side == "R")) % 2),
            "label_b": str(number // 2 % 2),
            "split": PARTS[number * 3 // patients],
            "scanner": "B" if view == "CC" else "A",
            "dose": "1.5" if view == "CC" else "2.5",
        }
        for number, patient in enumerate(f"p{number}" for number in range(patients))
        for side in "LR"
        for view in ("CC", "MLO")
        if f"{side}-{view}" not in lacking.get(patient, ())
    ]


def bag_rows(bags: int = 12) -> list[dict[str, str]]:
    """Bags of one to four images, two bags a patient; the labels take turns."""
    return [
        {
            "image": f"images/b{bag}-{place}.png",
            "patient_id": f"p{bag // 2}",
            "slide": f"b{bag}",
            "label_a": str(bag % 2),
            "label_b": str(bag // 2 % 2),
            "split": PARTS[bag * 3 // bags],
            "dose": str(bag + place),
        }
        for bag in range(bags)
        for place in range(1 + bag % 4)
    ]


def write(folder: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """The table, and for every image that is not there a breast with noise of its own; right ones face left."""
    rows = list(rows)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        path = folder / row["image"]
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            pixels = picture(row["image"])
            Image.fromarray(pixels[:, ::-1] if row.get("side") == "R" else pixels).save(path)
    return folder / "table.csv"


def picture(name: str) -> np.ndarray:
    """A breast that faces right."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = (x / 30) ** 2 + ((y - 30) / 24) ** 2 < 1
    noise = np.random.default_rng(list(name.encode())).integers(90, 200, SIZE)
    return np.where(inside, noise, 0).astype(np.uint8)
