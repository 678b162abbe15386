"""The accounts: variants, data, ledger, what was skipped and failed, what was assumed, how to get it again."""

from __future__ import annotations

from harness.reporting.material import Material
from harness.reporting.parts import Code, Lines, Part, Section, Table, Text
from harness.tables.measure.costs import failures, ledger_lines


def variants_section(material: Material) -> Section:
    """What each variant changes."""
    import pandas as pd

    names = [item.name for item in material.plan.variants]
    rows = [(name, "; ".join(material.differs.get(name, ())) or "the study's base") for name in names]
    rows = [(f"{name} (baseline)" if name == material.plan.baseline else name, text) for name, text in rows]
    cells = pd.DataFrame(rows, columns=["variant", "differs from the study's base by"])
    note = "In the study's order; a range in brackets was searched."
    return Section("variants", "The variants", [Table("", cells, [note], words=True)])


def data_section(material: Material) -> Section:
    """The data card, and what the check of the data found."""
    parts: list[Part] = []
    if material.card is None:
        parts.append(Text("No counts were handed to the report."))
    else:
        note = (
            "Images, units of diagnosis and patients of each split; then images that have each class. No patient is in "
            "two splits."
        )
        parts.append(Table("", material.card.astype(str), [note]))
    if material.plan.dataset_digest:
        parts.append(Text(f"Digest of the data set: `{material.plan.dataset_digest[:16]}`."))
    if material.data_check:
        parts.append(Lines(list(material.data_check)))
    elif material.plan.trained:
        parts.append(Text(f"Leakage and shortcuts: not checked. `{material.check_command}` does it."))
    return Section("data", "Data", parts, {} if material.card is None else {"data": material.card})


def ledger_section(material: Material) -> Section:
    """Who read labels and masks, and how often the test split was opened."""
    return Section(
        "ledger",
        "Ledger: what was read",
        [Lines(ledger_lines(material.trials, material.test_openings, material.own_openings))],
    )


def skipped_section(material: Material) -> Section:
    """What did not run, and what did not end."""
    lines = [f"`{skip.variant}` was not run: {skip.reason}" for skip in material.plan.skipped]
    lines += failures(material.trials)
    return Section("skipped", "What was skipped, and what failed", [Lines(lines) if lines else Text("Nothing.")])


def assumed_section(material: Material) -> Section:
    """What the sources of the components do not say, and what was chosen."""
    lines = [
        f"`{component}`, {what}: {choice}"
        for component, choices in material.assumed.items()
        for what, choice in choices.items()
    ]
    nothing = Text("No component that was used declares an assumption.")
    return Section("assumed", "What was assumed", [Lines(lines) if lines else nothing])


def reproduce_section(material: Material) -> Section:
    """The command and the versions."""
    versions = [f"`{distribution}` {version}" for distribution, version in material.plan.plugins.items()]
    last = (
        "Every figure of every trained model is in `tables/runs.csv`; the tables above are beside it in full precision."
    )
    parts: list[Part] = [Code(material.command), Lines(versions), Text(last)]
    return Section("reproduce", "How to reproduce it", parts)
