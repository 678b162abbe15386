"""EigenGrad-CAM with a sign."""

from __future__ import annotations

from typing import Any

import numpy as np
from pytorch_grad_cam import EigenGradCAM

from harness_explainers.cams.cam import Array


class SignedEigenGradCam(EigenGradCAM):  # type: ignore[misc]
    """EigenGrad-CAM with a sign: a principal component has none of its own, so it takes that of the plain sum."""

    def get_cam_image(self, images: Any, layer: Any, classes: Any, activations: Any, gradients: Any, *_: Any) -> Array:
        """Return the first principal component of activation times gradient, "b i j"."""
        component: Array = super().get_cam_image(images, layer, classes, activations, gradients, False)
        agreement = (component * (activations * gradients).sum(1)).sum((1, 2), keepdims=True)
        return np.where(agreement < 0, -component, component)
