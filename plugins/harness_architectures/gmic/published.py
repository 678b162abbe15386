"""The authors' checkpoints: their parameter names mapped to ours. Only the names are theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness import InputError

UNUSED = frozenset({"shared_rep_filter.weight"})
"""Keys of the published files that belong to no layer of the published network."""
_NAMES = (
    (r"backbone\.stem\.", "ds_net.first_conv."),
    (r"backbone\.blocks\.(\d)\.(\d)\.shortcut\.", r"ds_net.layer_list.\1.\2.downsample.0."),
    (r"backbone\.blocks\.(\d)\.(\d)\.norm(\d)\.", r"ds_net.layer_list.\1.\2.bn\3."),
    (r"backbone\.blocks\.", "ds_net.layer_list."),
    (r"backbone\.norm\.", "ds_net.final_bn."),
    (r"saliency\.", "left_postprocess_net.gn_conv_last."),
    (r"local_backbone\.net\.", "dn_resnet."),
    (r"local_pooling\.value\.", "mil_attn_V."),
    (r"local_pooling\.gate\.", "mil_attn_U."),
    (r"local_pooling\.score\.", "mil_attn_w."),
    (r"classifier\.", "classifier_linear."),
    (r"fusion\.", "fusion_dnn."),
)


def load_published(model: nn.Module, path: str | Path) -> None:
    """Load a published checkpoint into a GMIC of the published configuration.

    Pickled code is never run.

    Raises:
        InputError: the file cannot be read, or a key is missing, unknown or of another shape; all of
            them in one message, which leaves the model as it was.
    """
    theirs = {key: value for key, value in _read(Path(path)).items() if key not in UNUSED}
    ours = model.state_dict()
    names = {name: published_name(name) for name in ours}
    wrong = [f"{name} is missing" for name in names.values() if name not in theirs]
    wrong += [f"{key} is not of this network" for key in sorted(set(theirs) - set(names.values()))]
    wrong += [
        f"{names[name]} has shape {_shape(theirs[names[name]])}, expected {_shape(value)}"
        for name, value in ours.items()
        if names[name] in theirs and theirs[names[name]].shape != value.shape
    ]
    if wrong:
        raise InputError(f"{path}: not a checkpoint for this network: " + "; ".join(wrong))
    model.load_state_dict({name: theirs[names[name]] for name in ours})


def published_name(name: str) -> str:
    """Return the published name of one of our parameters or buffers; ours where there is none."""
    for ours, theirs in _NAMES:
        renamed, count = re.subn(f"^{ours}", theirs, name)
        if count:
            return renamed
    return name


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such checkpoint.")
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path}: no weights could be read from it: {error}") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"{path}: expected a state dict, found {type(found).__name__}.")
    return found


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"
