"""Laws without pytest, as `harness plugin check` tries them."""

from __future__ import annotations

from collections.abc import Mapping

from harness import Component, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.testing.laws.check import check
from harness.testing.laws.law import Finding
from harness.testing.laws.registry import laws_of_kind
from harness.testing.laws.subject import Subject
from tests.harness.testing.zoo.poolings import Highest, Root

LAW = "gradient_reaches_every_instance"


def _build_highest(features: int, outputs: int, /) -> Highest:
    return Highest()


def _findings(build=_build_highest, **declared) -> Mapping[str, Finding]:
    component = Component(name="mine", build=build, summary="mine", **declared)
    catalog = Catalog()
    catalog.register(type("Mine", (), {"harness_poolings": staticmethod(hookimpl(lambda: [component]))})())
    found = list(check(Subject(kind="pooling", component=component, catalog=catalog)))
    return {finding.law.name: finding for finding in found}


def test_a_finding_says_what_was_seen_and_how_to_mend_it() -> None:
    found = _findings()
    assert {name for name, finding in found.items() if finding.verdict != "pass"} == {LAW}
    assert (found[LAW].verdict, found[LAW].seen) == ("fail", "7 of 14 instances have the gradient 0")
    assert found[LAW].mend == "Give each instance a share in the value, and detach nothing."


def test_a_declared_failure_is_expected_with_its_reason() -> None:
    found = _findings(xfail={LAW: "a maximum has one source"})
    assert found[LAW].verdict == "xfail" and found[LAW].seen.startswith("a maximum has one source: 7 of 14")
    assert not any(finding.verdict == "fail" for finding in found.values())


def test_a_declared_failure_that_does_not_happen_is_a_failure() -> None:
    found = _findings(xfail={LAW: "a maximum has one source", "it_can_be_pickled": "I never tried"})
    assert found["it_can_be_pickled"].verdict == "fail"
    assert "I never tried" in found["it_can_be_pickled"].seen


def test_a_misspelt_declaration_suggests_the_nearest_law() -> None:
    seen = _findings(xfail={LAW: "one source", "it_can_be_pickeld": "no"})["declared_failures_are_laws"].seen
    assert seen == "no law is named 'it_can_be_pickeld'; did you mean 'it_can_be_pickled'?"


def test_an_error_of_a_component_is_a_failure_with_its_place() -> None:
    def build_broken(features: int, outputs: int, /) -> Root:
        raise KeyError("weights")

    found = _findings(build_broken, xfail={LAW: "an error is no such failure"})
    assert found[LAW].verdict == "fail"
    assert found[LAW].seen.startswith("KeyError: 'weights' (") and "test_check.py:" in found[LAW].seen


def test_a_data_set_that_needs_files_is_skipped_with_the_reason() -> None:
    catalog = Catalog.discover(only=("datasets",))
    subject = Subject(kind="dataset", component=catalog.get("dataset", "manifest"), catalog=catalog)
    found = [finding for finding in check(subject) if finding.law.name != "declared_failures_are_laws"]
    assert {finding.verdict for finding in found} == {"skipped"}
    assert all("'manifest' needs this parameter" in finding.seen for finding in found)


def test_every_law_has_a_statement_of_one_line_and_a_way_to_mend() -> None:
    kinds = ("dataset", "backbone", "pooling", "architecture", "explainer", "metric", "optimiser", "schedule")
    for law in (law for kind in kinds for law in laws_of_kind(kind)):
        assert law.statement[0].isupper() or law.statement[0] in "`", law.name
        assert law.statement.endswith(".") and law.mend.endswith("."), law.name
        assert len(law.statement) <= 130 and "\n" not in law.statement, law.name
