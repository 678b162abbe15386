"""The built-in backbones keep the laws of all backbones."""

import harness_backbones
from harness.testing import laws_for

test_laws = laws_for(harness_backbones)
