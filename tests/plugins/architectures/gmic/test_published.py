"""The published configuration: parameters, checkpoints, and outputs equal to a second, plain writing of it."""

from pathlib import Path

import pytest
import torch

from harness import InputError, Task
from harness.nn import Batch
from tests.plugins.architectures.gmic import reference

CLASSES = ("benign", "malignant")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "sample_model_1.p"
    torch.save({**reference.random_checkpoint(), "shared_rep_filter.weight": torch.zeros(3, 3)}, path)
    return path


def build(catalog, size, **params):
    return catalog.build("architecture", {"use": "gmic", **params}, Task(classes=CLASSES, image_size=size))


def batch(*shape, seed=0):
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return Batch(images=images, labels=torch.zeros(shape[0], 2))


def test_the_default_is_the_published_network_with_14110322_parameters(catalog):
    model = build(catalog, (2944, 1920))
    count = {name: sum(value.numel() for value in module.parameters()) for name, module in model.named_children()}
    assert count == {
        "backbone": 2_799_536,
        "saliency": 512,
        "pooling": 0,
        "local_backbone": 11_176_512,
        "local_pooling": 131_200,
        "classifier": 1_024,
        "fusion": 1_538,
    }
    assert sum(count.values()) == 14_110_322


@pytest.mark.parametrize(("local", "count"), [("resnet34", 24_218_482), ("resnet50", 26_841_202)])
def test_the_papers_other_local_networks_have_their_published_sizes(catalog, local, count):
    # ResNet-50 gives 2,048 features instead of 512, which widens attention, classifier and fusion.
    model = build(catalog, (2944, 1920), local_backbone={"use": "timm", "model": local})
    assert sum(value.numel() for value in model.parameters()) == count


@pytest.mark.parametrize(
    ("size", "fraction", "crop_px"),
    [((512, 384), 0.03, 90), ((448, 320), 0.02, 128), ((300, 233), 0.10, 60)],
)
def test_the_same_weights_give_the_published_networks_outputs(catalog, checkpoint, size, fraction, crop_px):
    pooling = {"use": "top_fraction", "fraction": fraction}
    model = build(catalog, size, weights=str(checkpoint), pooling=pooling, crops=4, crop_px=crop_px).eval()
    images = batch(3, 1, *size)
    with torch.no_grad():
        out = model(images)
        state = reference.random_checkpoint()
        expected = reference.forward(images.images, state, fraction=fraction, crops=4, crop_px=crop_px)
    assert torch.equal(out.parts["corners"], expected["corners"])
    for found, name in (
        (out.saliency, "maps"),
        (out.heads["global"], "global"),
        (out.heads["local"], "local"),
        (out.parts["attention"], "attention"),
        (out.probs, "fusion"),
    ):
        torch.testing.assert_close(found, expected[name], rtol=1e-4, atol=1e-5)
    assert out.probs.std() > 1e-4, "a comparison of constants proves nothing"


def test_the_same_weights_give_the_published_outputs_at_the_published_size(catalog, checkpoint):
    model = build(catalog, (2944, 1920), weights=str(checkpoint)).eval()
    images = batch(1, 1, 2944, 1920)
    with torch.no_grad():
        out = model(images)
        expected = reference.forward(images.images, reference.random_checkpoint(), fraction=0.03, crops=6, crop_px=256)
    assert torch.equal(out.parts["corners"], expected["corners"])
    torch.testing.assert_close(out.probs, expected["fusion"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.saliency, expected["maps"], rtol=1e-4, atol=1e-5)


def test_all_258_published_names_are_ours_and_no_other(catalog):
    from harness_architectures.gmic.published import published_name

    model = build(catalog, (512, 384))
    expected = {name: tuple(value.shape) for name, value in reference.random_checkpoint().items()}
    assert len(expected) == 258
    assert {published_name(name): tuple(value.shape) for name, value in model.state_dict().items()} == expected


def test_every_missing_unknown_and_misshapen_key_is_named_in_one_error(catalog, tmp_path):
    state = reference.random_checkpoint()
    del state["fusion_dnn.bias"], state["ds_net.first_conv.weight"]
    state["mil_attn_w.weight"] = torch.zeros(2, 128)
    state["stranger"] = torch.zeros(1)
    path = tmp_path / "broken.p"
    torch.save(state, path)
    with pytest.raises(InputError) as caught:
        build(catalog, (512, 384), weights=str(path))
    for part in (
        "fusion_dnn.bias is missing",
        "ds_net.first_conv.weight is missing",
        "mil_attn_w.weight has shape 2x128, expected 1x128",
        "stranger is not of this network",
        str(path),
    ):
        assert part in str(caught.value)


def test_a_checkpoint_that_would_run_code_is_refused(catalog, tmp_path):
    path = tmp_path / "pickled.p"
    torch.save({"weights": Path}, path)
    with pytest.raises(InputError, match="no weights could be read"):
        build(catalog, (512, 384), weights=str(path))
    with pytest.raises(InputError, match="there is no such checkpoint"):
        build(catalog, (512, 384), weights=str(tmp_path / "absent.p"))


def test_published_weights_are_refused_for_classes_in_the_other_order(catalog, checkpoint):
    task = Task(classes=CLASSES[::-1], image_size=(512, 384))
    with pytest.raises(InputError, match="benign, malignant, in this order"):
        catalog.build("architecture", {"use": "gmic", "weights": str(checkpoint)}, task)


def test_published_weights_do_not_fit_another_configuration(catalog, checkpoint):
    with pytest.raises(InputError, match=r"mil_attn_U\.weight is not of this network"):
        build(catalog, (512, 384), weights=str(checkpoint), local_pooling={"use": "uniform"})
