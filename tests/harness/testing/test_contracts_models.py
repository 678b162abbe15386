"""The laws are worth something only if what breaks them is caught."""

import pytest
import torch
from torch import nn

from harness import Component, Task, hookimpl
from harness.nn import Backbone, Batch, Model, Output, Phase, Pooled, Pooling
from harness.testing.contracts_bags import ViewLaws
from harness.testing.contracts_models import ArchitectureLaws, BackboneLaws, PoolingLaws


class LyingStride(Backbone):
    def __init__(self, channels):
        super().__init__()
        self.features, self.stride = 2, 4
        self.conv = nn.Conv2d(channels, 2, 3, stride=2, padding=1)

    def forward(self, images):
        return self.conv(images)


class MaskBlind(Pooling):
    def forward(self, x, key=None, mask=None):
        return Pooled(x.mean(1), torch.full_like(x[..., :1], 0.5))


class Scored(Model):
    """What the models below share: the loss."""

    def losses(self, out, batch):
        return {"all": nn.functional.binary_cross_entropy_with_logits(out.logits, batch.labels)}


class Forgetful(Scored):
    """Looks at nothing but a bias, has an idle layer, remembers whom it has seen and never met a NaN label."""

    def __init__(self, task):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(task.classes)))
        self.idle = nn.Linear(2, 2)
        self.seen = {"images": set(), "labels": None}

    def forward(self, batch):
        self.seen["images"].update(batch.ids)
        logits = (self.bias + batch.images.mean()).expand(len(batch.images), -1)
        return Output(probs=logits.sigmoid(), logits=logits)


class Detached(Scored):
    """Its second phase has a layer to train, and does not let a gradient come to it."""

    def __init__(self, task):
        super().__init__()
        self.first, self.second = (nn.Linear(len(task.classes), len(task.classes)) for _ in range(2))
        self.classes = len(task.classes)

    def phases(self):
        return [Phase(name="first", trainable=("first",)), Phase(name="second", trainable=("second",))]

    def forward(self, batch):
        seen = batch.images.flatten(1)[:, : self.classes]
        logits = self.first(seen) + self.second(seen).detach()
        return Output(probs=logits.sigmoid(), logits=logits)


class ViewBlind(Scored):
    """Takes what stands for a missing view as one, and never looks at the last."""

    def __init__(self, task):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(task.classes)))

    def forward(self, batch):
        logits = batch.images[:, :-1].flatten(1).mean(1, keepdim=True) * self.weight
        return Output(probs=logits.sigmoid(), logits=logits)


class Broken:
    @hookimpl
    def harness_backbones(self):
        return [Component(name="lying_stride", build=lambda channels, /: LyingStride(channels), summary="")]

    @hookimpl
    def harness_poolings(self):
        return [
            Component(
                name="mask_blind",
                build=lambda features, outputs, /: MaskBlind(),
                summary="",
                xfail={"masked_instances_do_not_matter": "it is for bags of one length"},
            )
        ]

    @hookimpl
    def harness_architectures(self):
        return [
            Component(name="forgetful", build=lambda task, /: Forgetful(task), summary=""),
            Component(name="detached", build=lambda task, /: Detached(task), summary=""),
            Component(name="view_blind", build=lambda task, /: ViewBlind(task), summary=""),
        ]


PLUGIN = Broken()


def caught(laws, law, hook, *arguments, number=0):
    laws.plugin = PLUGIN
    component = getattr(PLUGIN, hook)()[number]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(laws, f"test_{law}")(component, *arguments)


def test_a_stride_that_is_not_kept_is_caught():
    caught(BackboneLaws(), "maps_have_the_size_that_stride_and_features_promise", "harness_backbones", 1)


@pytest.mark.parametrize("law", ["masked_instances_do_not_matter", "weights_are_a_distribution"])
def test_a_pooling_that_looks_at_padding_is_caught(law):
    caught(PoolingLaws(), law, "harness_poolings")


@pytest.mark.parametrize(
    "law",
    [
        "every_parameter_learns_in_some_phase",
        "eval_is_deterministic_and_leaves_nothing_behind",
        "unknown_labels_leave_losses_and_gradients_finite",
        "the_scores_of_an_image_do_not_depend_on_its_batch",
        "eight_images_are_learnt_by_heart",
    ],
)
def test_a_model_without_memory_for_images_but_with_one_for_itself_is_caught(law):
    laws = ArchitectureLaws()
    laws.steps = 20
    caught(laws, law, "harness_architectures")


def test_a_phase_that_no_gradient_reaches_is_caught():
    caught(ArchitectureLaws(), "every_parameter_learns_in_some_phase", "harness_architectures", number=1)


def test_a_model_that_takes_a_missing_view_for_one_is_caught():
    caught(ViewLaws(), "pixels_of_a_missing_view_do_not_matter", "harness_architectures", False, number=2)


def test_a_model_that_leaves_out_a_view_is_caught():
    caught(ViewLaws(), "a_present_view_matters", "harness_architectures", number=2)


def test_the_batch_of_the_laws_has_positives_and_negatives_of_every_class():
    component = PLUGIN.harness_architectures()[0]
    for kind, classes in (("multilabel", ("a", "b")), ("multiclass", ("a", "b", "c"))):
        task = Task(kind=kind, classes=classes, image_size=(64, 64))
        batch = ArchitectureLaws().batch(component, task, 8)
        assert isinstance(batch, Batch)
        assert (batch.labels.sum(0) > 0).all()
        assert (batch.labels.sum(0) < 8).all()


class TestADeclaredFailureIsExpected(PoolingLaws):
    """`mask_blind` says which law it breaks; its weights are left to the test above."""

    plugin = PLUGIN
    test_weights_are_a_distribution = None
