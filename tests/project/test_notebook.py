"""The notebook of the documentation runs from its first cell to its last in an empty folder."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.slow
NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first_study.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Jupyter's own
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOK, as_version=4)
        folder = tmp_path_factory.mktemp("notebook")
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def outputs(notebook: nbformat.NotebookNode, name: str) -> dict[str, str]:
    """Return the output of the cell whose last line is `name`, by MIME type."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.splitlines()[-1] == name]
    return dict(cell.outputs[-1].data)


def test_results_show_the_leaderboard_and_an_overlay(executed: nbformat.NotebookNode) -> None:
    shown = outputs(executed, "results")
    assert "finished" in shown["text/plain"] and len(shown["text/plain"]) < 120
    assert all(name in shown["text/html"] for name in ("auroc", "mean", "max", "data:image/png;base64,"))


def test_a_plan_shows_its_variants(executed: nbformat.NotebookNode) -> None:
    assert "2 variants" in outputs(executed, "plan")["text/plain"]


def test_a_mistake_is_one_message_without_a_traceback(executed: nbformat.NotebookNode) -> None:
    (text,) = [
        output.text
        for cell in executed.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    ]
    assert "no pooling named 'maxx'; did you mean 'max'?" in text and "Traceback" not in text


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
