import pytest
import torch

from harness import InputError


def test_the_shapes_of_the_paper_at_2944x1920(catalog):
    net = catalog.build("backbone", "resnet22", 1).eval()
    trace = []
    for module in (net.stem, net.pool, *net.blocks, net.norm):
        module.register_forward_hook(lambda _, __, out: trace.append(tuple(out.shape[1:])))
    with torch.no_grad():
        net(torch.zeros(1, 1, 2944, 1920))
    assert trace == [
        (16, 1472, 960),
        (16, 735, 479),
        (16, 735, 479),
        (32, 368, 240),
        (64, 184, 120),
        (128, 92, 60),
        (256, 46, 30),
        (256, 46, 30),
    ]


def test_it_has_2799536_parameters_stage_by_stage_as_published(catalog):
    net = catalog.build("backbone", "resnet22", 1)
    count = [sum(value.numel() for value in part.parameters()) for part in (net.stem, *net.blocks, net.norm)]
    assert count == [784, 9_600, 32_992, 131_520, 525_184, 2_098_944, 512]
    assert sum(count) == 2_799_536


@pytest.mark.parametrize(("side", "cells"), [(224, 4), (256, 4), (512, 8), (1024, 16)])
def test_the_papers_map_sizes_at_other_inputs(catalog, side, cells):
    net = catalog.build("backbone", {"use": "resnet22", "width": 1}, 1).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 1, side, side)).shape[2:] == (cells, cells)


def test_nothing_rectifies_the_stem_or_a_blocks_sum(catalog):
    torch.manual_seed(0)
    net = catalog.build("backbone", {"use": "resnet22", "stride": 8, "width": 2}, 1).eval()
    with torch.no_grad():
        found = net.stages(torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert all((stage < 0).any() for stage in found[:-1])
    assert (found[-1] >= 0).all()


@pytest.mark.parametrize(
    ("stride", "sizes"), [(64, (31, 16, 8, 4, 2)), (16, (31, 16, 8, 8, 8)), (8, (31, 16, 16, 16, 16))]
)
def test_every_stride_keeps_five_stages_from_fine_to_coarse(catalog, stride, sizes):
    net = catalog.build("backbone", {"use": "resnet22", "stride": stride, "width": 3}, 1)
    stages = net.stages(torch.zeros(2, 1, 128, 128))
    assert [stage.shape[1] for stage in stages] == [3, 6, 12, 24, 48]
    assert tuple(stage.shape[2] for stage in stages) == sizes
    assert (net.features, net.stride) == (48, stride)


def test_other_strides_are_refused(catalog):
    with pytest.raises(InputError, match="32 is not one of 64, 16, 8"):
        catalog.build("backbone", {"use": "resnet22", "stride": 32}, 1)
