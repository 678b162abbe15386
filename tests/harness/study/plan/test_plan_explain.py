"""What a plan says of [explain]: mistakes, what is left out, and what maps cost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import harness_explainers
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Task
from harness.study.file.sections import ExplainSection
from harness.study.plan.checks import Checked
from harness.study.plan.measures import check_explain
from harness.study.plan.pricing import windows


def _lines(
    *use: Any,
    provides: frozenset[str] = frozenset({"explain_layer", "saliency"}),
    mask_kind: Any = "none",
    **section: Any,
) -> list[str]:
    catalog, problems = Catalog(), Problems("")
    catalog.register(harness_explainers)
    task = Task(classes=("a",), image_size=(64, 48), mask_kind=mask_kind)
    known = {"facts": {}, "canonical": {}, "needs": frozenset(), "used": frozenset(), "digest": ""}
    checked = Checked(provides=provides, task=task, **known)
    _, lines = check_explain(ExplainSection(use=list(use), **section), catalog, [checked], problems)
    return [*problems.messages, *lines]


def test_cheap_explainers_are_not_worth_a_word():
    assert _lines("native", "gradcam", "saliency", "gradient_shap") == []


def test_dear_explainers_are_priced_in_passes():
    occlusion = {"use": "occlusion", "window_px": 16, "stride_px": 8}
    assert _lines("scorecam", "integrated_gradients", occlusion) == [
        "the explainer 'scorecam' takes a forward pass for each channel of its layer, for each image and class",
        "the explainer 'integrated_gradients' takes 50 forward and backward passes for each image and class",
        "the explainer 'occlusion' takes 36 forward passes for each image and class",
    ]


def test_with_masks_the_plan_says_that_controls_double_the_price():
    doubled = "the control for maps compared with masks takes as many passes again, on random weights"
    assert _lines("scorecam", mask_kind="outline")[1:] == [doubled]
    assert _lines("gradcam", mask_kind="outline") == []


@pytest.mark.parametrize(("size", "window", "stride"), [((64, 48), 16, 8), ((254, 254), 15, 9), ((10, 7), 3, 2)])
def test_windows_are_counted_as_captum_moves_them(size: tuple[int, int], window: int, stride: int):
    import torch
    from captum.attr import Occlusion

    seen = []

    def score(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return images.sum((1, 2, 3))

    Occlusion(score).attribute(torch.zeros(1, 1, *size), (1, window, window), strides=(1, stride, stride))
    assert sum(seen) - 1 == windows(size, window, stride)


def test_one_explainer_with_several_settings_has_a_name_for_each():
    windows = [{"use": "occlusion", "name": f"occlusion_{px}", "window_px": px, "stride_px": 9} for px in (15, 30)]
    assert _lines(*windows, "occlusion") == [
        "the explainer 'occlusion_15' takes 36 forward passes for each image and class",
        "the explainer 'occlusion_30' takes 16 forward passes for each image and class",
        "the explainer 'occlusion' takes 36 forward passes for each image and class",
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            ["occlusion", {"use": "occlusion", "window_px": 30}],
            "explain.use.1: 'occlusion' is listed twice: its maps would have one name; "
            'name one of them, as `name = "occlusion_2"`',
        ),
        (
            [{"use": "occlusion", "name": "a"}, {"use": "gradcam", "name": "a"}],
            "explain.use.1: 'a' is listed twice: its maps would have one name; "
            'name one of them, as `name = "gradcam_2"`',
        ),
        (
            [{"use": "occlusion", "name": "gradcam"}],
            "explain.use.0.name: 'gradcam' is another explainer's name, and this is 'occlusion'",
        ),
        (
            [{"use": "occlusion", "name": "control:centre"}],
            "explain.use.0.name: a name is made of small letters, digits and _, a letter first; found 'control:centre'",
        ),
    ],
)
def test_names_that_would_not_tell_maps_apart_are_refused(entries: list[Any], message: str):
    assert _lines(*entries) == [message]


def test_a_name_of_a_map_changes_no_identity(planner: Any):
    text = planner.replaced(("[confirm]", '[explain]\nuse = [{ use = "native", name = "own" }]\n[confirm]'))
    plan = planner.plan(text)
    assert plan.explain["use"] == [{"use": "native", "name": "own"}]
    assert (plan.study_id, plan.variants) == (planner.plan().study_id, planner.plan().variants)


def test_faithfulness_is_priced():
    table = {"use": ["darken", "zero", "deletion", "randomise"], "images": 10, "thresholds": [0.5, 0.7], "steps": 20}
    assert _lines("gradcam", faithfulness=table) == [
        "faithfulness (darken, zero, deletion, randomise) takes 33 forward passes and 4 more maps by each explainer "
        "for each map of 10 test images in a confirmation"
    ]


def test_a_layer_to_explain_is_needed_where_a_method_looks_there():
    assert _lines("gradcam", provides=frozenset()) == ["the explainer 'gradcam' is left out: it needs explain_layer"]


def test_parameters_that_cannot_work_are_reported_by_the_plan():
    table = {"use": "occlusion", "window_px": 4, "stride_px": 8}
    (line,) = _lines(table)
    assert line == "explain.use.0: `1 <= stride_px <= window_px` must hold, but got stride_px=8, window_px=4."


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('use = ["darkn"]', "no measure named 'darkn'; did you mean 'darken'?"),
        ('use = ["zero", "zero"]', "'zero' is given twice"),
        ('use = ["zero"]\nthresholds = [1.5]', "explain.faithfulness.thresholds.0"),
        ('use = ["zero"]\nimages = 0', "explain.faithfulness.images"),
        ('use = ["zero"]\nimage = 3', "image"),
    ],
)
def test_mistakes_in_faithfulness_are_reported_with_their_path(planner: Any, table: str, message: str):
    found = planner.problems(planner.replaced(("[confirm]", f"[explain.faithfulness]\n{table}\n[confirm]")))
    assert any(line.startswith("study.toml: explain.faithfulness") and message in line for line in found), found


def test_a_study_that_does_not_ask_for_it_is_planned_as_before(planner: Any):
    assert planner.plan().explain == {"use": [], "images": 8}
    asked = planner.plan(planner.replaced(("[confirm]", '[explain.faithfulness]\nuse = ["zero"]\n[confirm]')))
    assert asked.explain["faithfulness"]["use"] == ["zero"]
    assert asked.study_id == planner.plan().study_id
    assert json.loads(json.dumps(asked.explain)) == asked.explain


def test_naming_explainers_imports_nothing_heavy():
    code = (
        "import sys, harness_explainers; list(harness_explainers.harness_explainers());"
        "print(sorted({'torch', 'captum', 'pytorch_grad_cam', 'cv2', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
