"""The laws that every component, tuner and store must keep; a plugin's test file subclasses them."""

import importlib.util

if importlib.util.find_spec("pytest"):
    import pytest

    # Asserts of the laws show what they found, as those of a test file do.
    pytest.register_assert_rewrite(
        *(f"{__name__}.contracts_{what}" for what in ("bags", "data", "explainers", "metrics", "models", "training"))
    )
