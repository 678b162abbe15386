"""The law of all kinds: what a component declares about laws is true."""

from __future__ import annotations

from harness.contract.errors import nearest_or_all
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.registry import laws_of_kind
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []


@law(LAWS, mend="Correct the name in `Component.xfail`, or remove it.")
def declared_failures_are_laws(subject: Subject) -> None:
    """Check that `Component.xfail` names laws of the component."""
    known = [law.name for law in laws_of_kind(subject.kind)]
    wrong = [f"{name!r}{nearest_or_all(name, known)}" for name in subject.component.xfail if name not in known]
    expect(not wrong, f"no law is named {', '.join(wrong)}")
