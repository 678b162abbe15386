"""A model in the layout that the study asks for, and what torch's CPU code cannot be given in it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from harness import Component, InputError, Task, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.testing.fakes import tiny_spec
from harness.trial.model.build import build_model, device_of, keep_contiguous
from harness.trial.settings.training import TrainSettings

TRAINING = """
import sys
import torch
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.nn import Batch
from harness.contract.types import Task
from harness.testing.fakes import tiny_spec
from harness.trial.model.build import build_model
from harness.trial.settings.training import TrainSettings

torch.set_num_threads(1)
task, channels = Task(classes=("a",), channels=int(sys.argv[2]), image_size=(64, 48)), int(sys.argv[2])
model = {"use": "cnn", "backbone": {"use": "resnet22", "stride": 16, "width": int(sys.argv[1])}}
made = build_model(tiny_spec(model=model), Catalog.discover(), task, TrainSettings(), torch.device("cpu")).train()
for _ in range(6):
    images = torch.randn(4, channels, 64, 48).contiguous(memory_format=torch.channels_last)
    batch = Batch(images=images, labels=torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
    torch.autograd.backward(torch.stack(list(made.losses(made(batch), batch).values())).sum())
print("trained")
"""


@pytest.mark.parametrize("channels", [1, 3])
def test_a_narrow_network_is_trained_without_overwriting_memory(channels: int) -> None:
    """Without the guard torch 2.14 ends the process: the shortcut from 8x6 to 4x3 cells has 4 channels."""
    command = [sys.executable, "-c", TRAINING, "2", str(channels)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


def _convolutions(catalog: Catalog, width: int, **settings: bool) -> dict[int, bool]:
    """Channels of the strided 1x1 convolutions -> whether they are guarded."""
    task = Task(classes=("a",), image_size=(64, 48))
    model = {"use": "cnn", "backbone": {"use": "resnet22", "stride": 16, "width": width}}
    made = build_model(tiny_spec(model=model), catalog, task, TrainSettings(**settings), torch.device("cpu"))
    found = [item for item in made.modules() if isinstance(item, torch.nn.Conv2d)]
    strided = [item for item in found if item.kernel_size == (1, 1) and item.stride == (2, 2)]
    return {item.in_channels: bool(item._forward_pre_hooks) for item in strided}


def test_only_what_is_at_fault_leaves_the_layout(catalog: Catalog) -> None:
    assert _convolutions(catalog, 4) == {4: True, 8: False}
    assert _convolutions(catalog, 8) == {8: False, 16: False}
    assert _convolutions(catalog, 4, channels_last=False) == {4: False, 8: False}


def test_the_guard_changes_the_layout_and_no_number() -> None:
    convolution = torch.nn.Conv2d(3, 5, 1, stride=2)
    images = torch.randn(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    plain = convolution(images)
    keep_contiguous(convolution.to(memory_format=torch.channels_last))
    guarded = convolution(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(guarded, plain)
    assert convolution.weight.stride() == (3, 1, 1, 1)


class Volume(Model):
    """A model with parameters of three, four and five dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.plane, self.volume = nn.Conv1d(2, 4, 3), nn.Conv2d(2, 4, 3), nn.Conv3d(2, 4, 3)

    def forward(self, batch: Batch) -> Output:
        raise NotImplementedError

    def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    @hookimpl
    def harness_architectures(self) -> list[Component[Any]]:
        return [Component(name="volume", build=lambda task, /: Volume(), summary="of every dimension")]


def test_what_has_no_channels_last_layout_keeps_its_own() -> None:
    catalog = Catalog()
    catalog.register(Volume())
    spec = tiny_spec(model={"use": "volume"})
    made: Any = build_model(spec, catalog, Task(classes=("a",)), TrainSettings(), torch.device("cpu"))
    plane, volume = made.plane.weight, made.volume.weight
    assert plane.is_contiguous(memory_format=torch.channels_last) and volume.is_contiguous()


def test_a_grey_image_goes_through_in_channels_last_from_the_first_layer_on(catalog: Catalog) -> None:
    """With one channel both layouts hold the same numbers: where nothing but strides tells them apart, they must."""
    model = {"use": "cnn", "backbone": {"use": "resnet22", "stride": 16, "width": 8}}
    made: Any = build_model(tiny_spec(model=model), catalog, Task(classes=("a",)), TrainSettings(), torch.device("cpu"))
    stem = next(module for module in made.modules() if isinstance(module, nn.Conv2d))
    assert stem.weight.shape[1] == 1
    out = stem(torch.rand(2, 1, 64, 48))
    assert out.is_contiguous(memory_format=torch.channels_last) and not out.is_contiguous()


@pytest.mark.parametrize("name", ["cuda:7", "mps", "cuda"])
def test_a_device_that_is_not_there_is_the_users_mistake(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2 if ":" in name else 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=f"compute.device: '{name}', but torch finds"):
        device_of(name)


def test_a_second_gpu_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cuda:1") == torch.device("cuda:1")
