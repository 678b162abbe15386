import harness_systems
from harness.testing.contracts_models import ArchitectureLaws


class TestSystems(ArchitectureLaws):
    plugin = harness_systems
