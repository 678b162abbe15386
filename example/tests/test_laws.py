"""The laws of every component of the package, as tests."""

from harness.testing import laws_for

import acme_example

test_laws = laws_for(acme_example)
