"""What is public: a change of these names is a change for users and plugin authors, and stands in the changelog."""

from __future__ import annotations

import importlib

import pytest

PUBLIC = {
    "harness": """
        ArchitectureFactory BackboneFactory Component Dataset Epoch HarnessError InputError MetricRecord Plan
        PoolingFactory Sample Schedule SizeMismatchError Standing Task TrialResult TrialSpec compare file_facts hookimpl
        nearest plan report results run seed_of stamp_of use
    """,
    "harness.nn": """
        Backbone Batch Explainer Grid Model Output Phase Pooled Pooling Targets generator masked_bce
        masked_cross_entropy outside_autocast place
    """,
    "harness.metrics.functional": """
        Array BINS Decisions Froc LayerImages STEPS Scores Winners attention_gap auroc average_precision
        box_terms boxes_of calibration_error check_once components decide decision decode_layers dice_curves histograms
        layer_overlap layer_terms localisable map_terms mean_defined middle_best peak_hit pixel_ap rank_auc
        reduced_mask resize_nearest soft_dice threshold_at_sensitivity threshold_at_specificity to_arrays touched
        weighted_auc weighted_average_precision weighted_calibration_error weighted_decisions weighted_means
        weighted_pixel_ap youden_threshold
    """,
    "harness.testing": """
        ArchitectureLaws BackboneLaws DatasetLaws ExplainerLaws MetricLaws OptimiserLaws PoolingLaws ScheduleLaws
        bag_batch bag_catalog build_squares build_tiny_cnn laws_for squares_task tiny_catalog tiny_spec
    """,
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_exports_exactly_these_names(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == PUBLIC[name].split()
    assert all(hasattr(module, item) for item in module.__all__)
