"""Augmentation: masks go where their images go, and what each change may do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harness.trial.data.augment import NOISE, augment

MOVES = ["flip", "flip_vertical", "shift", "rotate", "scale"]


def _chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _shapes(count: int = 32, height: int = 48, width: int = 32) -> Tensor:
    """An image with one off-centre rectangle, "b 1 h w"."""
    images = torch.zeros(count, 1, height, width)
    images[:, :, 14:30, 8:18] = 1
    return images


@pytest.mark.parametrize("name", MOVES)
def test_masks_follow_their_images(name: str):
    shapes = _shapes()
    images, masks = augment(shapes, shapes.clone(), [name], _chance())
    assert masks is not None
    assert not torch.equal(images, shapes)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    assert ((images > 0.5).float() - masks).abs().mean() < 0.01


@pytest.mark.parametrize("name", [*MOVES, "noise"])
def test_one_seed_gives_one_result_and_another_seed_another(name: str):
    shapes = _shapes()
    first, second, other = (augment(shapes, None, [name], _chance(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", [*MOVES, "noise"])
def test_images_stay_in_range_and_keep_their_shape(name: str):
    images = torch.rand(8, 3, 20, 28)
    changed, _ = augment(images, None, [name], _chance())
    assert changed.shape == images.shape
    assert changed.min() >= 0 and changed.max() <= 1


@pytest.mark.parametrize(("name", "axis"), [("flip", 3), ("flip_vertical", 2)])
def test_about_half_of_the_images_are_mirrored_exactly(name: str, axis: int):
    images = torch.rand(64, 1, 7, 9)
    changed, _ = augment(images, None, [name], _chance())
    same = torch.tensor([torch.equal(a, b) for a, b in zip(changed, images, strict=True)])
    mirrored = torch.tensor([torch.equal(a, b) for a, b in zip(changed, images.flip(axis), strict=True)])
    assert (same ^ mirrored).all()
    assert 20 < mirrored.sum() < 44


def test_shifts_move_whole_pixels_by_a_tenth_at_most():
    images, _ = augment(_shapes(64), None, ["shift"], _chance())
    corners = [(image[0].nonzero().min(0).values - torch.tensor([14, 8])).tolist() for image in images]
    down, right = zip(*corners, strict=True)
    assert (min(down), max(down)) == (-5, 5)
    assert (min(right), max(right)) == (-3, 3)
    assert (images.sum((1, 2, 3)) == 16 * 10).all()


def test_a_shift_brings_in_black():
    images, _ = augment(torch.ones(64, 1, 20, 20), None, ["shift"], _chance())
    assert images.sum((1, 2, 3)).min() == 18 * 18
    assert set(images.unique().tolist()) == {0.0, 1.0}


def test_rotation_keeps_the_area_of_a_shape_on_an_oblong_image():
    areas = augment(_shapes(), None, ["rotate"], _chance())[0].sum((1, 2, 3))
    torch.testing.assert_close(areas, torch.full_like(areas, 160), rtol=0.01, atol=0)


def test_rotation_turns_by_fifteen_degrees_at_most():
    line = torch.zeros(64, 1, 65, 65)
    line[:, :, 31:34, 4:61] = 1
    turned, _ = augment(line, None, ["rotate"], _chance())
    angles = []
    for image in turned[:, 0]:
        points = (image > 0.5).nonzero().double()
        points -= points.mean(0)
        angles.append(torch.rad2deg(torch.atan(torch.linalg.lstsq(points[:, 1:], points[:, :1]).solution)).item())
    assert 12 < max(angles) < 15.5
    assert -15.5 < min(angles) < -12


def test_scaling_magnifies_between_the_published_bounds():
    areas = augment(_shapes(256), None, ["scale"], _chance())[0].sum((1, 2, 3)) / 160
    assert 0.8**2 * 0.97 < areas.min() < 0.9**2
    assert 1.5**2 < areas.max() < 1.6**2 * 1.03


def test_shearing_slants_by_twenty_five_degrees_at_most_and_keeps_the_area():
    line = torch.zeros(64, 1, 65, 65)
    line[:, :, 14:51, 31:34] = 1
    slanted, _ = augment(line, None, ["shear"], _chance())
    angles = []
    for image in slanted[:, 0]:
        points = (image > 0.5).nonzero().double()
        points -= points.mean(0)
        angles.append(torch.rad2deg(torch.atan(torch.linalg.lstsq(points[:, :1], points[:, 1:]).solution)).item())
    assert 22 < max(angles) < 25.5
    assert -25.5 < min(angles) < -22
    areas = augment(_shapes(), None, ["shear"], _chance())[0].sum((1, 2, 3))
    torch.testing.assert_close(areas, torch.full_like(areas, 160), rtol=0.01, atol=0)


def test_noise_has_the_published_deviation_and_leaves_masks_alone():
    images, masks = torch.full((4, 1, 64, 64), 0.5), torch.ones(4, 1, 64, 64)
    noisy, same = augment(images, masks, ["noise"], _chance())
    assert noisy.std().item() == pytest.approx(NOISE, rel=0.03)
    assert same is masks
