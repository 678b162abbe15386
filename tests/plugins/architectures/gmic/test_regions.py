import pytest
import torch
from torch.nn.functional import avg_pool2d

from harness_architectures.shared.geometry import Geometry, map_size
from harness_architectures.shared.regions import random_corners, retrieve_roi, take_crops, to_pixels

WINDOW = (4, 4)
NATIVE = Geometry.of((2944, 1920), (46, 30), None)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def one_by_one(maps, window, crops):
    """The algorithm as written in the paper: sample by sample, window by window."""
    found = torch.zeros(len(maps), crops, 2, dtype=torch.long)
    for number, sample in enumerate(maps):
        summed = sum((one - one.min()) / (one.max() - one.min()) for one in sample)
        for crop in range(crops):
            scores = avg_pool2d(summed[None, None], window, stride=1)[0, 0]
            row, column = divmod(int(scores.argmax()), scores.shape[1])
            summed[row : row + window[0], column : column + window[1]] = 0
            found[number, crop] = torch.tensor([row, column])
    return found


@pytest.mark.parametrize(
    ("shape", "window", "crops"),
    [((16, 2, 46, 30), (4, 4), 6), ((5, 3, 16, 12), (1, 2), 9), ((3, 1, 40, 30), (7, 5), 6)],
)
def test_the_whole_batch_at_once_equals_one_by_one(shape, window, crops):
    maps = noise(*shape)
    assert torch.equal(retrieve_roi(maps, window, crops), one_by_one(maps, window, crops))


def test_a_planted_block_is_found_exactly():
    maps = torch.zeros(1, 2, 46, 30)
    maps[0, 1, 11:15, 7:11] = 0.9
    assert retrieve_roi(maps, WINDOW, 1).tolist() == [[[11, 7]]]


def test_blocks_are_found_in_the_order_of_their_mass():
    corners = [(2, 3), (30, 20), (15, 9), (40, 1)]
    maps = torch.zeros(1, 1, 46, 30)
    for mass, (row, column) in zip((0.9, 0.7, 0.5, 0.3), corners, strict=True):
        maps[0, 0, row : row + 4, column : column + 4] = mass
    assert [tuple(corner) for corner in retrieve_roi(maps, WINDOW, 4)[0].tolist()] == corners


def test_a_single_hot_cell_is_the_bottom_right_of_its_window():
    maps = torch.zeros(1, 1, 46, 30)
    maps[0, 0, 20, 17] = 1
    assert retrieve_roi(maps, WINDOW, 1).tolist() == [[[17, 14]]]


def test_constant_maps_give_the_first_corner_and_hide_no_other_class():
    assert retrieve_roi(torch.full((2, 2, 46, 30), 0.5), WINDOW, 6).tolist() == [[[0, 0]] * 6] * 2
    maps = torch.full((1, 2, 46, 30), 0.5)
    maps[0, 1, 11:15, 7:11] = 0.9
    assert retrieve_roi(maps, WINDOW, 1).tolist() == [[[11, 7]]]


def test_an_improbable_class_steers_as_much_as_a_probable_one():
    maps = torch.zeros(1, 2, 46, 30)
    maps[0, 0, 5:9, 5:9] = 0.9
    maps[0, 1, 30:34, 20:24] = 1e-3
    assert sorted(retrieve_roi(maps, WINDOW, 2)[0].tolist()) == [[5, 5], [30, 20]]


def test_corners_stay_inside_the_map():
    corners = retrieve_roi(noise(32, 2, 46, 30), WINDOW, 6)
    assert corners.amin() >= 0
    assert corners[..., 0].amax() <= 42
    assert corners[..., 1].amax() <= 26


def test_neither_scale_nor_offset_of_a_class_map_matters():
    maps = noise(8, 2, 46, 30)
    moved = torch.stack((maps[:, 0] * 0.25 + 0.5, maps[:, 1] * 8), 1)  # powers of two: exact in floating point
    assert torch.equal(retrieve_roi(maps, WINDOW, 6), retrieve_roi(moved, WINDOW, 6))


def test_no_gradient_passes_through_the_choice():
    assert not retrieve_roi(noise(1, 2, 16, 12).requires_grad_(), WINDOW, 2).requires_grad


def test_rows_and_columns_are_multiplied_by_64_at_the_published_size():
    corners = torch.tensor([[[0, 0], [42, 26], [11, 7]]])
    assert to_pixels(corners, NATIVE).tolist() == [[[0, 0], [2688, 1664], [704, 448]]]


@pytest.mark.parametrize(("image", "cells"), [((300, 233), (5, 4)), ((250, 150), (4, 4)), ((1000, 777), (16, 13))])
def test_pixels_are_rounded_as_python_rounds(image, cells):
    place = Geometry.of(image, cells, 20)
    every = torch.tensor([[row, column] for row in range(cells[0]) for column in range(cells[1])])
    expected = [[round(r / cells[0] * image[0]), round(c / cells[1] * image[1])] for r, c in every.tolist()]
    assert to_pixels(every[None], place)[0].tolist() == expected


def test_crops_come_from_the_full_image_and_keep_their_channels():
    images = noise(2, 3, 40, 30)
    corners = torch.tensor([[[0, 0], [24, 14]], [[3, 9], [10, 2]]])
    crops = take_crops(images, corners, 16)
    assert crops.shape == (2, 2, 3, 16, 16)
    assert torch.equal(crops[0, 1], images[0, :, 24:40, 14:30])
    assert torch.equal(crops[1, 0], images[1, :, 3:19, 9:25])


def test_an_overflowing_crop_has_its_content_at_the_bottom_right_on_the_images_minimum():
    images = noise(2, 1, 40, 30) - 0.5
    crops = take_crops(images, torch.tensor([[[30, 20]], [[30, 5]]]), 16)
    expected = torch.full((16, 16), float(images[0].min()))
    expected[6:, 6:] = images[0, 0, 30:, 20:]
    assert torch.equal(crops[0, 0, 0], expected)
    expected = torch.full((16, 16), float(images[1].min()))
    expected[6:, :] = images[1, 0, 30:, 5:21]
    assert torch.equal(crops[1, 0, 0], expected)


def test_random_corners_cover_every_place_and_depend_on_the_name_alone():
    place = Geometry.of((64, 48), (8, 6), 16)
    cpu = torch.device("cpu")
    assert place.corners == (7, 5)
    drawn = random_corners(place, 1, 2000, cpu)[0]
    assert {tuple(corner) for corner in drawn.tolist()} == {(row, column) for row in range(7) for column in range(5)}
    both = random_corners(place, 2, 3, cpu, ("a", "b"))
    assert torch.equal(random_corners(place, 1, 3, cpu, ("b",))[0], both[1])
    assert not torch.equal(both[0], both[1])


def test_the_published_geometry():
    assert NATIVE == Geometry((2944, 1920), (46, 30), 256, (4, 4))
    assert (NATIVE.cells, NATIVE.most_crops, NATIVE.corners) == (1380, 77, (43, 27))


@pytest.mark.parametrize(
    ("size", "stride", "expected"),
    [
        ((2944, 1920), 64, (46, 30)),
        ((224, 224), 64, (4, 4)),
        ((512, 384), 64, (8, 6)),
        ((128, 96), 64, (2, 2)),
        ((256, 192), 16, (16, 12)),
        ((260, 200), 8, (32, 25)),
    ],
)
def test_the_plan_knows_the_maps_size_without_building(size, stride, expected):
    from harness_backbones.resnet22.component import build_resnet22, resnet22_facts

    assert map_size(size, resnet22_facts(stride=stride, width=16)) == expected
    if size[0] < 1000:
        built = build_resnet22(1, stride=stride, width=1)
        assert tuple(built(torch.zeros(2, 1, *size)).shape[2:]) == expected


def test_a_stride_alone_is_rounded_up_and_no_stride_tells_nothing():
    assert map_size((100, 64), {"stride": 32}) == (4, 2)
    assert map_size((100, 64), {}) is None


def test_nothing_waits_for_the_device():
    # Tensors of device "meta" have no values: whatever asked for one, a host synchronisation, would fail.
    maps, images = torch.empty(2, 2, 46, 30, device="meta"), torch.empty(2, 1, 2944, 1920, device="meta")
    corners = to_pixels(retrieve_roi(maps, WINDOW, 6), NATIVE)
    assert take_crops(images, corners, 256).shape == (2, 6, 1, 256, 256)
    assert random_corners(NATIVE, 2, 6, maps.device).shape == (2, 6, 2)
