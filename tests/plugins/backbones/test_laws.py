import harness_backbones
from harness.testing.contracts_models import BackboneLaws


class TestBackbones(BackboneLaws):
    plugin = harness_backbones
