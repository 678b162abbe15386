"""Sections that document the run: variants, data, ledger, skipped and failed trials, assumptions, reproduction."""

from __future__ import annotations

from harness.reporting.material import Material
from harness.reporting.parts import Code, Lines, Part, Section, Table, Text
from harness.tables.measure.costs import failures, ledger_lines


def variants_section(material: Material) -> Section:
    """Return the changes that each variant makes."""
    import pandas as pd

    names = [item.name for item in material.plan.variants]
    rows = [(name, "; ".join(material.differs.get(name, ())) or "the study's base") for name in names]
    rows = [(f"{name} (baseline)" if name == material.plan.baseline else name, text) for name, text in rows]
    cells = pd.DataFrame(rows, columns=["variant", "differs from the study's base by"])
    note = "Variants are in the study's order. A range in brackets was searched."
    return Section("variants", "The variants", [Table("", cells, [note], words=True)])


def data_section(material: Material) -> Section:
    """Return the data card and the findings of the data check."""
    parts: list[Part] = []
    if material.card is None:
        parts.append(Text("No counts are available."))
    else:
        note = (
            "Numbers of images, units of diagnosis and patients of each split, then of images that have each class. No "
            "patient is in two splits."
        )
        parts.append(Table("", material.card.astype(str), [note]))
    if material.plan.dataset_digest:
        parts.append(Text(f"Digest of the data set: `{material.plan.dataset_digest[:16]}`."))
    if material.data_check:
        parts.append(Lines(list(material.data_check)))
    elif material.plan.trained:
        parts.append(Text(f"Leakage and shortcuts: not checked. Run `{material.check_command}` to check them."))
    return Section("data", "Data", parts, {} if material.card is None else {"data": material.card})


def ledger_section(material: Material) -> Section:
    """Return the labels and masks that were read, and the number of openings of the test split."""
    return Section(
        "ledger",
        "Ledger: labels and masks that were read",
        [Lines(ledger_lines(material.trials, material.test_openings, material.own_openings))],
    )


def skipped_section(material: Material) -> Section:
    """Return the variants that were skipped and the trials that failed."""
    lines = [f"`{skip.variant}` was not run: {skip.reason}" for skip in material.plan.skipped]
    lines += failures(material.trials)
    return Section("skipped", "Skipped variants and failed trials", [Lines(lines) if lines else Text("None.")])


def assumed_section(material: Material) -> Section:
    """Return the choices that components made where their sources are silent."""
    lines = [
        f"`{component}`, {what}: {choice}"
        for component, choices in material.assumed.items()
        for what, choice in choices.items()
    ]
    nothing = Text("No component that was used declares an assumption.")
    return Section("assumed", "Assumptions", [Lines(lines) if lines else nothing])


def reproduce_section(material: Material) -> Section:
    """Return the command and the versions."""
    versions = [
        f"Version of the results of `{distribution}`: {version}"
        for distribution, version in material.plan.plugins.items()
    ]
    last = (
        "`tables/replicates.csv` has every metric of every trained model. `tables/` also has the tables above in full "
        "precision."
    )
    parts: list[Part] = [Code(material.command), Lines(versions), Text(last)]
    return Section("reproduce", "How to reproduce this study", parts)
