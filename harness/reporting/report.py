"""The report of a study: one HTML file, the same text in Markdown, and tables in CSV, from given material."""

from __future__ import annotations

from pathlib import Path

from harness.reporting.material import Material
from harness.reporting.parts import Section
from harness.reporting.rendering import to_html, to_markdown
from harness.reporting.sections.accounted import (
    assumed_section,
    data_section,
    ledger_section,
    reproduce_section,
    skipped_section,
    variants_section,
)
from harness.reporting.sections.answer import answer_section
from harness.reporting.sections.compared import (
    against_section,
    calibration_section,
    curves_section,
    differences_section,
    scores_section,
    sweeps_section,
)
from harness.reporting.sections.gallery import gallery_section
from harness.reporting.sections.located import faithfulness_section, localisation_section
from harness.reporting.sections.searched import search_section

__all__ = ["Material", "report_sections", "write_report"]

_SECTIONS = (
    answer_section,
    differences_section,
    variants_section,
    sweeps_section,
    curves_section,
    calibration_section,
    scores_section,
    against_section,
    localisation_section,
    gallery_section,
    faithfulness_section,
    search_section,
    data_section,
    ledger_section,
    skipped_section,
    assumed_section,
    reproduce_section,
)
_OURS = ("figures", "gallery", "overlays", "roc", "tables")
"""Folders that belong to the report: files of an earlier report that are not written again are removed."""


def report_sections(material: Material) -> list[Section]:
    """Return the sections of the report in order; a section without data states the reason."""
    return [make(material) for make in _SECTIONS]


def write_report(folder: Path, material: Material) -> list[Path]:
    """Write `report.html`, `report.md`, pictures and `tables/*.csv`, replacing the files of an earlier report.

    The HTML file embeds its pictures and loads no other file; the Markdown file links to them. A table without rows
    has no file.

    Returns:
        The files written, `report.html` first, then `report.md`.
    """
    sections = report_sections(material)
    files = {"report.html": to_html(material, sections).encode(), "report.md": to_markdown(material, sections).encode()}
    for section in sections:
        full = {name: table for name, table in section.tables.items() if not table.empty}
        files |= {f"tables/{name}.csv": table.to_csv(index=False).encode() for name, table in full.items()}
        files |= {picture.name: picture.data for picture in section.pictures}
    return _write(folder, files)


def _write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    written = []
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written.append(path)
    old = {path for name in _OURS for path in (folder / name).glob("*") if path.is_file()} - set(written)
    for path in [*old, folder / "differences.png"]:
        path.unlink(missing_ok=True)
    return written
