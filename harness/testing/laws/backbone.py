"""Laws of backbones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.contract.nn import Backbone
from harness.testing.laws.compare import backward, close, finite, no_reseeding, noise, same_weights
from harness.testing.laws.law import Law, expect, expected, law
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_ODD = (61, 75)


@law(
    LAWS, mend="Set `features` and `stride` to what `forward` gives; pad so that sizes are floor or ceil of h / stride."
)
def maps_have_the_size_that_stride_and_features_promise(subject: Subject) -> None:
    """Check that maps are finite float32 of the promised size, for grey and colour images of several sizes."""
    for channels in (1, 3):
        net: Backbone = subject.build(channels)
        for size in subject.settings.sizes:
            _check_maps(net, noise(2, channels, *size))


@law(LAWS, mend="Pad inside the network, or declare the sizes it takes in `facts` and this law in `xfail`.")
def odd_and_oblong_images_are_taken(subject: Subject) -> None:
    """Check that an image of odd, unequal sides has a map of the promised size."""
    net: Backbone = subject.build(1)
    with expected(f"an image of {_ODD[0]}x{_ODD[1]} px"):
        _check_maps(net, noise(2, 1, *_ODD))


@law(LAWS, mend="Keep divisions and roots away from 0, and change no input in place.")
def constant_images_give_finite_maps_and_are_left_as_they_are(subject: Subject) -> None:
    """Check that black and white images have finite maps, and no input is written to."""
    net: Backbone = subject.build(1).eval()
    size = subject.settings.sizes[0]
    images, before = _images(subject), _images(subject)
    with torch.no_grad():
        for value in (0.0, 1.0):
            constant = torch.full((2, 1, *size), value)
            finite(net(constant), f"maps of images of {value}")
            close(constant, torch.full_like(constant, value), "a constant image afterwards", exact=True)
        net(images)
    close(images, before, "the input afterwards", exact=True)


@law(LAWS, mend="Return from `facts` the stride and features of the built network.")
def facts_are_true(subject: Subject) -> None:
    """Check that `facts` states the stride and features of the network."""
    net: Backbone = subject.build(1)
    facts = subject.factory().facts()
    for name in ("stride", "features"):
        stated, found = facts.get(name, getattr(net, name)), getattr(net, name)
        expect(stated == found, f"facts state {name} {stated}, the network has {found}")


@law(LAWS, mend="Normalise by nothing of the batch in eval mode.")
def a_batch_of_one_is_a_slice_of_a_batch(subject: Subject) -> None:
    """Check that the map of an image does not depend on the other images of its batch."""
    net: Backbone = subject.build(1).eval()
    images = noise(3, 1, *subject.settings.sizes[0])
    with torch.no_grad():
        close(net(images[1:2]), net(images)[1:2], "an image alone")


@law(LAWS, mend="Register only layers that `forward` uses, and detach nothing.")
def every_parameter_gets_a_gradient(subject: Subject) -> None:
    """Check that every parameter takes part in the map."""
    net: Backbone = subject.build(1)
    backward(net(_images(subject)).square().sum())
    idle = [name for name, value in net.named_parameters() if value.grad is None]
    expect(not idle, f"no gradient reaches {', '.join(idle)}")


@law(LAWS, mend="Compute from the images without `detach`, `no_grad` or rounding.")
def gradient_reaches_the_image(subject: Subject) -> None:
    """Check that a finite gradient reaches every image, as explainers need it."""
    net: Backbone = subject.build(1).eval()
    images = _images(subject).requires_grad_()
    backward(net(images).square().sum())
    expect(images.grad is not None and (images.grad.flatten(1).abs().amax(1) > 0).all(), "an image has no gradient")
    assert images.grad is not None
    finite(images.grad, "gradients of the image")


@law(LAWS, mend="Keep all state in parameters and buffers.")
def weights_survive_a_state_dict(subject: Subject) -> None:
    """Check that a network with another's weights gives its maps."""
    first, second = subject.build(1).eval(), subject.build(1, seed=1).eval()
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        close(second(_images(subject)), first(_images(subject)), "maps with the same weights", exact=True)


@law(LAWS, mend="Draw initial weights from torch's generator, and reseed nothing.")
def one_seed_gives_one_network(subject: Subject) -> None:
    """Check that one seed gives one set of weights."""
    same_weights(subject.build(1, seed=3), subject.build(1, seed=3))


@law(LAWS, mend="Draw from torch's generator as it is, or from one of your own; never call `manual_seed`.")
def nothing_is_reseeded(subject: Subject) -> None:
    """Check that building a network and calling it in training mode does not reseed torch's generator."""
    with no_reseeding():
        subject.factory()(1).train()(_images(subject))


def _images(subject: Subject) -> Tensor:
    return noise(2, 1, *subject.settings.sizes[0])


def _check_maps(net: Backbone, images: Tensor) -> None:
    maps, size = net(images), tuple(images.shape[2:])
    expect(maps.shape[:2] == (len(images), net.features), f"{maps.shape[1]} features, and `features` is {net.features}")
    for length, cells in zip(size, maps.shape[2:], strict=True):
        promised = (length // net.stride, math.ceil(length / net.stride))
        expect(cells in promised, f"{length} px give {cells} cells at `stride` {net.stride}, not {promised[1]}")
    expect(maps.dtype == torch.float32, f"maps are {maps.dtype}")
    finite(maps, f"maps of images of {size}")
