import harness_poolings
from harness.testing.contracts_models import PoolingLaws


class TestPoolings(PoolingLaws):
    plugin = harness_poolings
