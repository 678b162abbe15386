"""Built-in explainers: what shows where a model looked.

`native` and `attention` show what the model itself computed, `cam` weighs the channels of one of its
layers, `attribution` asks for the part of single pixels. What each costs stands in its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, hookimpl

if TYPE_CHECKING:
    from harness.nn import Explainer

LAYER = frozenset({"explain_layer"})
_SHOWN = "values below 0 are cut, each map is divided by its maximum, small ones are enlarged bilinearly"
_SCORE = "the class's logit where the model has logits, else its probability"
_COMMON = {"score": _SCORE, "scale": _SHOWN}


def build_native() -> Explainer:
    """The model's own evidence."""
    from harness_explainers.native.explainer import Native

    return Native("native")


def build_attention() -> Explainer:
    """Attention over crops, painted where they lie."""
    from harness_explainers.attention.explainer import Attention

    return Attention("attention")


def build_gradcam() -> Explainer:
    """Grad-CAM."""
    from pytorch_grad_cam import GradCAM

    from harness_explainers.cams.cam import Cam

    return Cam("gradcam", GradCAM)


def build_gradcam_plus_plus() -> Explainer:
    """Grad-CAM++."""
    from pytorch_grad_cam import GradCAMPlusPlus

    from harness_explainers.cams.cam import Cam

    return Cam("gradcam_plus_plus", GradCAMPlusPlus)


def build_hirescam() -> Explainer:
    """HiRes-CAM."""
    from pytorch_grad_cam import HiResCAM

    from harness_explainers.cams.cam import Cam

    return Cam("hirescam", HiResCAM)


def build_eigengradcam() -> Explainer:
    """EigenGrad-CAM."""
    from harness_explainers.cams.cam import Cam, SignedEigenGradCam

    return Cam("eigengradcam", SignedEigenGradCam)


def build_layercam() -> Explainer:
    """Layer-CAM."""
    from pytorch_grad_cam import LayerCAM

    from harness_explainers.cams.cam import Cam

    return Cam("layercam", LayerCAM)


def build_scorecam(*, chunk: int = 16) -> Explainer:
    """Score-CAM.

    Args:
        chunk: masked images in one forward pass; memory, not results, depends on it. At least 1.
    """
    from harness_explainers.cams.cam import BoundedScoreCam, Cam

    _at_least_one(chunk=chunk)
    return Cam("scorecam", _with_chunk(BoundedScoreCam, chunk))


def build_ablationcam(*, chunk: int = 16) -> Explainer:
    """Ablation-CAM.

    Args:
        chunk: channels left out in one forward pass of what follows the layer. At least 1.
    """
    from harness_explainers.cams.cam import BoundedAblationCam, Cam

    _at_least_one(chunk=chunk)
    return Cam("ablationcam", _with_chunk(BoundedAblationCam, chunk))


def build_saliency() -> Explainer:
    """The size of the score's gradient."""
    from harness_explainers.attributions.attribution import Saliency

    return Saliency("saliency")


def build_integrated_gradients(
    *,
    steps: int = 50,
    baseline: Literal["zero", "darkest"] = "zero",
    sign: Literal["positive", "negative", "absolute"] = "positive",
    chunk: int = 10,
) -> Explainer:
    """Integrated gradients.

    Args:
        steps: points on the way from the baseline to the image; at least 1.
        baseline: "zero" as the model is given it, or each image's "darkest" value.
        sign: what speaks for the class, against it, or both.
        chunk: of them in one forward and backward pass; at least 1.
    """
    from harness_explainers.attributions.attribution import IntegratedGradients

    _at_least_one(steps=steps, chunk=chunk)
    return IntegratedGradients("integrated_gradients", steps, baseline, sign, chunk)


def build_gradient_shap(
    *,
    samples: int = 5,
    noise: float = 0.09,
    spread: float = 0.001,
    baseline: Literal["zero", "darkest"] = "zero",
    sign: Literal["positive", "negative", "absolute"] = "positive",
    seed: int = 0,
) -> Explainer:
    """Expected gradients.

    Args:
        samples: noisy images, each with a baseline and a point of its own; at least 1.
        noise: standard deviation of the noise, in the units of the image as the model is given it; at least 0.
        spread: standard deviation of the baselines around `baseline`; at least 0.
        baseline: "zero", or each image's "darkest" value.
        sign: what speaks for the class, against it, or both.
        seed: of the draws.
    """
    from harness_explainers.attributions.attribution import GradientShap

    _at_least_one(samples=samples)
    if noise < 0 or spread < 0:
        raise ValueError(f"`noise >= 0` and `spread >= 0` must hold, but got {noise=}, {spread=}.")
    return GradientShap("gradient_shap", samples, noise, spread, baseline, sign, seed)


def build_occlusion(
    *,
    window_px: int = 15,
    stride_px: int = 9,
    baseline: Literal["zero", "darkest"] = "zero",
    sign: Literal["positive", "negative", "absolute"] = "positive",
    chunk: int = 16,
) -> Explainer:
    """Occlusion.

    Args:
        window_px: side of the square that is covered, in pixels; at least 1, at most the image's shorter side.
        stride_px: how far it moves, in pixels; from 1 to `window_px`.
        baseline: what covers it: "zero", or each image's "darkest" value.
        sign: where covering lowers the score, raises it, or both.
        chunk: covered images in one forward pass; at least 1.
    """
    from harness_explainers.attributions.attribution import Occlusion

    _at_least_one(chunk=chunk)
    occlusion_facts(window_px=window_px, stride_px=stride_px)
    return Occlusion("occlusion", window_px, stride_px, baseline, sign, chunk)


def one_pass(**_: Any) -> Mapping[str, Any]:
    """Cost of a forward pass an image and class."""
    return {"cost": {"forwards": 1}}


def one_gradient(**_: Any) -> Mapping[str, Any]:
    """Cost of a forward and a backward pass an image and class."""
    return {"cost": {"forwards": 1, "backwards": 1}}


def every_channel(*, chunk: int = 16) -> Mapping[str, Any]:
    """Cost of a pass of the image, and one for each channel of the layer."""
    _at_least_one(chunk=chunk)
    return {"cost": {"forwards": 1, "forwards_per_channel": 1}}


def integrated_gradients_facts(*, steps: int = 50, chunk: int = 10, **_: Any) -> Mapping[str, Any]:
    """Cost of `steps` passes there and back.

    Raises:
        ValueError: the parameters cannot work.
    """
    _at_least_one(steps=steps, chunk=chunk)
    return {"cost": {"forwards": steps, "backwards": steps}}


def gradient_shap_facts(*, samples: int = 5, **_: Any) -> Mapping[str, Any]:
    """Cost of `samples` passes there and back.

    Raises:
        ValueError: the parameters cannot work.
    """
    _at_least_one(samples=samples)
    return {"cost": {"forwards": samples, "backwards": samples}}


def occlusion_facts(*, window_px: int = 15, stride_px: int = 9, **_: Any) -> Mapping[str, Any]:
    """Cost of a pass of the image, and one for each place of the window.

    Raises:
        ValueError: the parameters cannot work.
    """
    if not 1 <= stride_px <= window_px:
        raise ValueError(f"`1 <= stride_px <= window_px` must hold, but got {stride_px=}, {window_px=}.")
    return {"cost": {"forwards": 1, "window_px": window_px, "stride_px": stride_px}}


@hookimpl
def harness_explainers() -> Iterable[Component[Explainer]]:
    """What the model itself computed, class-activation maps, and attribution to pixels."""
    yield from _of_the_model()
    yield from _cams()
    yield from _attributions()


def _of_the_model() -> Iterable[Component[Explainer]]:
    yield Component(
        name="native",
        build=build_native,
        facts=one_pass,
        summary="the model's own saliency maps, each cell drawn as a rectangle",
        source="Shen et al. 2020, Medical Image Analysis, 101908",
        needs=frozenset({"evidence"}),
        assumed={
            "upsampling": "nearest neighbour, as Dice reads the maps: no value is shown that the model did not give"
        },
    )
    yield Component(
        name="attention",
        build=build_attention,
        facts=one_pass,
        summary="attention over crops, painted back where they were taken; the same for every class",
        source="Ilse et al. 2018, ICML; Shen et al. 2020, Medical Image Analysis, 101908",
        assumed={"overlap": "the highest weight of the boxes that cover a pixel; divided by the map's maximum"},
    )


def _cams() -> Iterable[Component[Explainer]]:
    yield _cam("gradcam", build_gradcam, "channels weighed by their mean gradient", "Selvaraju et al. 2017, ICCV")
    yield _cam(
        "gradcam_plus_plus",
        build_gradcam_plus_plus,
        "channels weighed by their positive gradients, cell by cell",
        "Chattopadhay et al. 2018, WACV",
    )
    yield _cam("hirescam", build_hirescam, "gradient times activation, summed over channels", "Draelos & Carin 2020")
    yield _cam(
        "eigengradcam",
        build_eigengradcam,
        "first principal component of gradient times activation",
        "Gildenblat et al. 2021, pytorch-grad-cam; after Muhammad & Yeasin 2020, IJCNN",
        assumed={"sign": "that of the plain sum over channels: a principal component has none of its own"},
    )
    yield _cam(
        "layercam",
        build_layercam,
        "positive gradient times activation, summed over channels",
        "Jiang et al. 2021, IEEE Transactions on Image Processing",
    )
    yield _cam(
        "scorecam",
        build_scorecam,
        "channels weighed by the score of the image seen through them; no gradients",
        "Wang et al. 2020, CVPR Workshops",
        facts=every_channel,
    )
    yield _cam(
        "ablationcam",
        build_ablationcam,
        "channels weighed by how far the score falls without them; no gradients",
        "Desai & Ramaswamy 2020, WACV",
        facts=every_channel,
        assumed={"weight": "the fall itself, not its share of the score: the share of a negative logit has no meaning"},
    )


def _attributions() -> Iterable[Component[Explainer]]:
    yield Component(
        name="saliency",
        build=build_saliency,
        facts=one_gradient,
        summary="size of the score's gradient, the highest over the image's channels",
        source="Simonyan et al. 2014, ICLR Workshops",
        assumed=_COMMON,
    )
    yield Component(
        name="integrated_gradients",
        build=build_integrated_gradients,
        facts=integrated_gradients_facts,
        summary="gradients integrated from a blank image to the image, times their difference",
        source="Sundararajan et al. 2017, ICML",
        tiny={"steps": 8},
        assumed={**_COMMON, "rule": "Gauss-Legendre"},
    )
    yield Component(
        name="gradient_shap",
        build=build_gradient_shap,
        facts=gradient_shap_facts,
        summary="gradients averaged over noisy images and random points on the way from blank ones",
        source="Lundberg & Lee 2017, NeurIPS; Erion et al. 2021, Nature Machine Intelligence",
        assumed={**_COMMON, "noise": "of the image as the model is given it, whatever its normalisation"},
    )
    yield Component(
        name="occlusion",
        build=build_occlusion,
        facts=occlusion_facts,
        summary="how far the score falls when a window is covered",
        source="Zeiler & Fergus 2014, ECCV",
        tiny={"window_px": 4, "stride_px": 2},
        assumed={**_COMMON, "window": "15 pixels moved by 9, published for images of 254 pixels"},
    )


def _cam(
    name: str,
    build: Callable[..., Explainer],
    summary: str,
    source: str,
    facts: Callable[..., Mapping[str, Any]] = one_gradient,
    assumed: Mapping[str, str] | None = None,
) -> Component[Explainer]:
    everything = {**_COMMON, **(assumed or {})}
    return Component(
        name=name, build=build, facts=facts, summary=summary, source=source, needs=LAYER, assumed=everything
    )


def _with_chunk(method: Any, chunk: int) -> Any:
    def build(model: Any, layers: Any) -> Any:
        cam = method(model, layers)
        cam.chunk = chunk
        return cam

    return build


def _at_least_one(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"`{name} >= 1` must hold, but got {name}={value}.")
