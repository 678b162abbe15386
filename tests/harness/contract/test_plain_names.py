"""Names of files and metrics: different names stay different, and readable."""

from __future__ import annotations

import itertools

import pytest

from harness.adapters.mlflow.client import key
from harness.contract.files import plain_name

SIGNS = ["HER2+", "HER2-", "HER2", "HER2?", "a/b", "a b", "a_b", "<b>", "CD4+/CD8-", "CD4-/CD8+", "", "/"]
NAMES = [*SIGNS, "良性", "恶性", "良/性", "\u00e9", "e\u0301", "x" * 400, "x" * 401]


def test_two_names_never_become_one():
    for one, other in itertools.combinations(NAMES, 2):
        assert plain_name(one) != plain_name(other)
        assert key(f"test/auroc/{one}") != key(f"test/auroc/{other}")


@pytest.mark.parametrize("name", ["lesion", "HER2-", "良性", "p.12_left", "Größe"])
def test_a_name_that_files_may_have_stays(name):
    assert plain_name(name) == name and key(f"test/auroc/{name}") == f"test/auroc/{name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_name_is_one_part_of_a_path_and_of_an_address(name):
    plain = plain_name(name)
    assert plain and len(plain.encode()) <= 110
    assert not set(plain) & set("/\\ ?#%+<>&\"'*|:")


@pytest.mark.parametrize("name", NAMES)
def test_mlflow_accepts_the_key_of_every_class(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(key(f"test/auroc/{name}"))  # raises MlflowException for a name that is not allowed
