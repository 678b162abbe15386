"""Writes small tables with images for the tests of `manifest`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from harness_datasets.manifest.component import build_manifest

COLUMNS = ["image", "patient_id", "label_a", "label_b", "mask_a", "view", "split"]


def rows(count: int = 12, stated: bool = True) -> list[dict[str, str]]:
    """Two images a patient; a and b are independent; a third of the patients in each split."""
    parts = ("train", "val", "test")
    return [
        {
            "image": f"images/{n}.png",
            "patient_id": f"p{n // 2}",
            "label_a": str(n // 2 % 2),
            "label_b": str(n % 2),
            "mask_a": f"masks/{n}.png" if n // 2 % 2 else "",
            "view": "CC" if n % 2 else "MLO",
            "split": parts[3 * n // count] if stated else "",
        }
        for n in range(count)
    ]


def write(
    root: Path, table: list[dict[str, str]], name: str = "set/table.csv", columns: list[str] | None = None
) -> Path:
    """The table, and a 30 x 20 image and mask for every path in it that stays inside its folder."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    for row in table:
        draw(path.parent, row.get("image", ""), "image")
        draw(path.parent, row.get("mask_a", ""), "mask")
    return path


def draw(folder: Path, name: str, seed: str, size: tuple[int, int] = (30, 20)) -> None:
    """A PNG of noise at `name`, unless it stands there or the name is empty or climbs."""
    path = folder / name
    if not name or ".." in name or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(f"{seed}{name}".encode()))
    values = rng.integers(0, 256, size, np.uint8)
    Image.fromarray(values if seed == "image" else (values > 127).astype(np.uint8) * np.uint8(255)).save(path)


def build(root: Path, **changed):
    """The manifest at set/table.csv with classes a and b at 24 x 16."""
    given = {"path": "set/table.csv", "labels": ("a", "b"), "image_size": (24, 16), "mask_kind": "outline"}
    return build_manifest(root, **{**given, **changed})
