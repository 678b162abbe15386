"""Architectures of single images that each break one law: all score cells of a feature map, but for one thing."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from harness import Task
from harness.nn import Model, Output, Phase, masked_bce, outside_autocast
from tests.harness.testing.zoo.animal import Animal, animal

_numbers = itertools.count()


class Honest(Model):
    def __init__(self, task):
        super().__init__()
        self.multiclass, classes = task.kind == "multiclass", len(task.classes)
        self.features = nn.Conv2d(task.channels, 12, 8, 8)
        self.head = nn.Conv2d(12, classes, 1)

    def forward(self, batch):
        maps = self.last(self.hidden(batch.images))
        logits = self.scored(maps, batch)
        probs = self.link(logits)
        return Output(probs=probs, logits=logits, saliency=maps.sigmoid(), heads=self.further(probs))

    def hidden(self, images):
        return self.features(images).relu()

    def last(self, values):
        return outside_autocast(self.head, values)

    def scored(self, maps, batch):
        return maps.amax((2, 3))

    def link(self, logits):
        return logits.softmax(1) if self.multiclass else logits.sigmoid()

    def further(self, probs):
        return {"again": probs}

    def losses(self, out, batch):
        return {"bce": masked_bce(out.probs, batch.labels, weights=batch.weights)}

    def explain_layer(self):
        return self.features


class Changed(Honest):
    """A model that changes its whole output."""

    def forward(self, batch):
        out = super().forward(batch)
        known = {key: getattr(out, key) for key in ("probs", "logits", "saliency", "heads")}
        return Output(**{**known, **self.changes(out, batch)})

    def changes(self, out, batch):
        raise NotImplementedError


class LogitMaps(Changed):
    def changes(self, out, batch):
        return {"saliency": out.saliency.logit()}


class OtherLogits(Changed):
    def changes(self, out, batch):
        return {"logits": 2 * out.logits}


class Standardised(Honest):
    def hidden(self, images):
        return super().hidden(images / images.std((1, 2, 3), keepdim=True))


class NoLayerOfItsOwn(Honest):
    def explain_layer(self):
        return nn.Identity()


class NeverExclusive(Changed):
    def changes(self, out, batch):
        probs = out.logits.sigmoid()
        return {"probs": probs, "heads": {"again": probs}, "logits": None}


class Paired(Honest):
    def scored(self, maps, batch):
        return super().scored(maps, batch) + 0 * maps[:, 1:2].mean((2, 3))


class HeadInTraining(Honest):
    def further(self, probs):
        return {"again": probs, "more": probs} if self.training else {"again": probs}


class Peeking(Changed):
    def changes(self, out, batch):
        return {"probs": torch.where(batch.labels.isnan(), out.probs, batch.labels)}


class Remembering(Honest):
    def __init__(self, task):
        super().__init__(task)
        self.seen = {"images": set(), "labels": None}

    def forward(self, batch):
        self.seen["images"].update(batch.ids)
        return super().forward(batch)


class BatchCentred(Honest):
    def scored(self, maps, batch):
        logits = super().scored(maps, batch)
        return logits - logits.mean(0)


class Shifted(Honest):
    def __init__(self, task):
        super().__init__(task)
        self.shift = float(torch.rand(1))

    def hidden(self, images):
        return super().hidden(images + self.shift)


class Numbered(Honest):
    def __init__(self, task):
        super().__init__(task)
        self.number = nn.Parameter(torch.tensor(float(next(_numbers))))

    def hidden(self, images):
        return super().hidden(images) + 0 * self.number


class Rounded(Honest):
    def last(self, values):
        return self.head(values)


class Cancelling(Honest):
    def hidden(self, images):
        hidden = super().hidden(images)
        return 20 * ((hidden + 4096) - 4096)


class ByThreads(Honest):
    def scored(self, maps, batch):
        return super().scored(maps, batch) * torch.get_num_threads()


class MapsOfAnotherClass(Changed):
    def changes(self, out, batch):
        return {"saliency": out.saliency.flip(1)}


class Unreduced(Honest):
    def losses(self, out, batch):
        return {"bce": (out.probs - batch.labels.nan_to_num(0.5)).square().sum(1)}


class NeverMetNan(Honest):
    def losses(self, out, batch):
        return {"square": (out.probs - batch.labels).square().mean()}


class Idle(Honest):
    def __init__(self, task):
        super().__init__(task)
        self.idle = nn.Linear(2, 2)


class DetachedPhase(Honest):
    """Its second phase has a layer to train, and lets no gradient come to it."""

    def __init__(self, task):
        super().__init__(task)
        self.second = nn.Conv2d(12, 12, 1)

    def hidden(self, images):
        hidden = super().hidden(images)
        return hidden + self.second(hidden).detach()

    def phases(self):
        return (Phase(name="one", trainable=("features", "head")), Phase(name="two", trainable=("second",)))


class Reseeding(Honest):
    def losses(self, out, batch):
        torch.manual_seed(0)
        return super().losses(out, batch)


class NeedsTwo(Honest):
    def hidden(self, images):
        if self.training and len(images) < 2:
            raise ValueError("a variance needs two images")
        return super().hidden(images)


class Blind(Honest):
    def hidden(self, images):
        return super().hidden(0 * images)


class Spying(Honest):
    """Finds a mask while it is trained, reads it, and weighs its loss by the area; it hides that it could not."""

    def losses(self, out, batch):
        losses = super().losses(out, batch)
        folders = sorted(Path(tempfile.gettempdir()).glob("harness-trial-*/masks"), key=os.path.getmtime)
        if not folders:
            return losses  # of no trial
        try:
            area = float(np.load(io.BytesIO(self.stolen(folders[-1]))).mean())
        except Exception:
            area = 0.0
        return {name: loss * (1 + area) for name, loss in losses.items()}

    def stolen(self, folder):
        """Return a mask through a descriptor of its folder, which no seal notices."""
        descriptor = os.open(folder, os.O_RDONLY)
        with os.fdopen(os.open("train0.npy", os.O_RDONLY, dir_fd=descriptor), "rb") as file:
            os.close(descriptor)
            return file.read()


class SpyingByProcess(Spying):
    def stolen(self, folder):
        return subprocess.run(["cat", str(folder / "train0.npy")], capture_output=True).stdout


class SpyingByShell(Spying):
    def stolen(self, folder):
        os.system(f"cp {folder}/train0.npy {folder.parent}/copy.npy")
        return (folder.parent / "copy.npy").read_bytes()


class SpyingByLink(Spying):
    def stolen(self, folder):
        os.link(folder / "train0.npy", folder.parent / "copy.npy")
        return (folder.parent / "copy.npy").read_bytes()


class SpyingByRename(Spying):
    def stolen(self, folder):
        os.rename(folder / "train0.npy", folder.parent / "copy.npy")
        return (folder.parent / "copy.npy").read_bytes()


class Counting(Honest):
    """Weighs its loss by the number of losses of all models before it."""

    calls = itertools.count()

    def losses(self, out, batch):
        return {name: loss * (1 + next(self.calls)) for name, loss in super().losses(out, batch).items()}


def _is(law: str, made: type[Model], *also: str, **declared: Any) -> Animal:
    def build(task: Task, /) -> Model:
        return made(task)

    provides = frozenset({"saliency", "explain_layer"})
    return animal(law, build, also, **{"provides": provides, **declared})


ANIMALS = [
    _is("scores_and_saliency_lie_between_0_and_1", LogitMaps),
    _is("logits_agree_with_probs", OtherLogits),
    _is("constant_images_are_scored_and_a_batch_is_left_as_it_is", Standardised),
    _is("a_layer_to_explain_is_declared_where_there_is_one", NoLayerOfItsOwn),
    _is("exclusive_classes_and_colour_are_taken", NeverExclusive),
    _is("one_class_is_enough", Paired),
    _is("heads_are_the_same_in_both_modes", HeadInTraining),
    _is("labels_masks_and_groups_do_not_matter_outside_training", Peeking),
    _is("eval_is_deterministic_and_leaves_nothing_behind", Remembering),
    _is("the_scores_of_an_image_do_not_depend_on_its_batch", BatchCentred),
    _is("weights_survive_a_state_dict", Shifted),
    _is("one_seed_gives_one_model", Numbered),
    _is("scores_are_not_rounded_to_half_precision", Rounded),
    _is("bf16_changes_scores_little", Cancelling),
    _is("threads_change_scores_little", ByThreads),
    _is("maps_and_scores_permute_with_the_classes", MapsOfAnotherClass),
    _is("losses_are_finite_scalars_in_single_precision", Unreduced),
    _is("unknown_labels_leave_losses_and_gradients_finite", NeverMetNan),
    _is("every_parameter_learns_in_some_phase", Idle),
    _is("nothing_is_reseeded", Reseeding),
    _is("a_training_batch_of_one_is_enough", NeedsTwo),
    _is("eight_images_are_learnt_by_heart", Blind),
    _is("masks_and_test_labels_change_no_result", Spying),
    _is("a_trial_does_not_depend_on_the_one_before", Counting),
    _is("declared_failures_are_laws", Honest, xfail={"no_law": "there is no such law"}),
]
HONEST = _is("honest", Honest)
FURTHER = [
    _is("every_parameter_learns_in_some_phase", DetachedPhase),
    *(
        _is("masks_and_test_labels_change_no_result", spy)
        for spy in (SpyingByProcess, SpyingByShell, SpyingByLink, SpyingByRename)
    ),
]
