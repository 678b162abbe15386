"""Components for harness. This module is the entry point: it holds every hook that harness calls."""

from acme_example.architecture import harness_architectures
from acme_example.backbone import harness_backbones
from acme_example.command import harness_commands
from acme_example.dataset import harness_datasets
from acme_example.explainer import harness_explainers
from acme_example.metric import harness_metrics
from acme_example.observer import harness_trial_finished
from acme_example.optimiser import harness_optimisers
from acme_example.pooling import harness_poolings
from acme_example.schedule import harness_schedules

__all__ = [
    "harness_architectures",
    "harness_backbones",
    "harness_commands",
    "harness_datasets",
    "harness_explainers",
    "harness_metrics",
    "harness_optimisers",
    "harness_poolings",
    "harness_schedules",
    "harness_trial_finished",
]
