"""The built-in architectures keep the laws of all architectures."""

import harness_architectures
from harness.testing import laws_for

test_laws = laws_for(harness_architectures)
