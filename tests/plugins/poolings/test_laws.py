"""The built-in poolings keep the laws of all poolings."""

import harness_poolings
from harness.testing import laws_for

test_laws = laws_for(harness_poolings)
