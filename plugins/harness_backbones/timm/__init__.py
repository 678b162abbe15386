"""The networks of timm as backbones; `names` checks a model's name without importing timm."""
