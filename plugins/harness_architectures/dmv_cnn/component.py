"""DMV-CNN, the deep multi-view network: a breast is judged from both views of both breasts.

Which view is which follows from their names: `CC` is the breast's own, `other CC` the same projection of the
other breast.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, Task, use

OTHER = "other "


def build_dmv_cnn(task: Task, /, *, backbone: BackboneFactory = use("resnet22"), hidden: int = 512) -> Any:
    """Build the view-wise network: one backbone a projection, shared by left and right breasts.

    Args:
        task: classes, channels, image size and views.
        backbone: built once for each projection.
        hidden: features of the layer between a projection's pair of vectors and its scores, at least 1.

    Raises:
        ValueError: the views are not pairs of a breast and the other one.
    """
    from harness_architectures.dmv_cnn.model import DMVCNN

    _check(hidden)
    return DMVCNN(task, [(name, backbone(task.channels)) for name in projections(task)], hidden)


def dmv_cnn_facts(task: Task, /, *, backbone: Any, hidden: int) -> Mapping[str, Any]:
    """Return the projections, if the data have views."""
    _check(hidden)
    backbone.facts()
    return {"projections": list(projections(task))} if task.views else {}


def projections(task: Task) -> tuple[str, ...]:
    """Return the names of the breast's own views.

    Raises:
        ValueError: they are not followed by the same views of the other breast.
    """
    half = len(task.views) // 2
    own = task.views[:half]
    if not own or task.views[half:] != tuple(OTHER + name for name in own):
        expected = f'a breast\'s own views and then the other\'s, as "CC", "MLO", "{OTHER}CC", "{OTHER}MLO"'
        raise ValueError(f"dmv_cnn reads {expected}, but the views are {', '.join(task.views) or 'none'}.")
    return own


def _check(hidden: int) -> None:
    if hidden < 1:
        raise ValueError(f"`hidden >= 1` must hold, but got {hidden=}.")


DMV_CNN: Component[Any] = Component(
    name="dmv_cnn",
    build=build_dmv_cnn,
    facts=dmv_cnn_facts,
    summary="one network per projection sees both breasts; CC's and MLO's predictions are averaged",
    source="Wu et al. 2019, IEEE Transactions on Medical Imaging 39, 1184",
    needs=frozenset({"views"}),
    space={"hidden": {"choice": [128, 256, 512]}},
    tiny={"backbone": {"use": "resnet22", "stride": 8, "width": 2}, "hidden": 16},
    assumed={
        "sharing": "one ResNet-22 for CC and one for MLO, each for both breasts, average pooling, and of both "
        "breasts' vectors a layer of 512 with ReLU; no source at hand says so",
        "breasts": "one breast at a time, its own vector first: its two scores, where the published network gives "
        "left's and right's at once",
        "missing views": "an absent view's vector is 0; a projection counts where the breast's own view is there, "
        "and where neither is, where the other breast's is",
        "loss": "cross-entropy of each projection that counts",
        "initialisation": "PyTorch's default; no BI-RADS pretraining",
        "images": "one size for all views; the published CC and MLO crops differ",
    },
)
