"""The language of the code: docstrings of functions begin with a verb in the imperative; refused words stay out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERBS = frozenset(
    """
    Accept Add Adjust Adopt Allow Announce Append Apply Approximate Arrange Ask Assert Assign Attend Average Begin
    Bind Block Bound Break Bring Build Cache Call Cancel Check Choose Classify Clear Clip Close Collect Combine
    Compare Compute Configure Connect Consume Continue Convert Copy Correct Count Cover Create Crop Cut Decide Decode
    Delete Deliver Derive Descend Describe Discard Divide Do Draw Drop Empty Encode End Ensure Enter Evaluate Exclude
    Execute Expand Explain Export Extend Extract Fail Feed Fill Filter Find Finish Fit Fix Flatten Flip Follow Forget
    Format Forward Free Freeze Gather Generate Give Group Handle Hash Hide Hold Ignore Import Include Infer Insert
    Install Interpolate Interrupt Iterate Join Keep Kill Launch Leave Let Limit Link List Load Locate Log Lower Make
    Map Mark Mask Match Measure Merge Minimise Mirror Move Multiply Name Normalise Note Notify Observe Offer Open
    Order Own Pack Pad Pair Parse Pass Patch Pick Place Plan Plot Point Pool Predict Prefetch Prepare Print Propagate
    Propose Put Raise Randomise Rank Read Rebuild Recompute Record Reduce Refuse Register Reject Release Remember
    Remove Rename Render Repair Repeat Replace Replay Report Request Reset Resize Resolve Restore Resume Return Reuse
    Rotate Round Run Sample Save Scale Score Seal Search Seed Select Send Separate Serve Set Shift Show Shuffle Shut
    Simulate Size Skip Slide Smooth Sort Split Start State Step Stop Store Sum Supply Take Test Time Track Train
    Translate Turn Undo Update Upgrade Upsample Validate Wait Warn Weigh Widen Wrap Write Yield
    """.split()
)
REFUSED = (
    # words of 0.1 that have another name
    "conductor", "proposer", "stopper", "evidence", "Misfit", "Unfit", "label_floor", "Housekeeper", "Parcel",
    # private words
    "what became of", "comes to nothing", "is told", "are told", "was told", "told at once", "tells apart",
)  # fmt: skip
ALLOWED = {"errors.py", "catalog.py", "record_training.py"}
"""Files that name words of 0.1 in order to refuse or to translate them."""
SOURCES = sorted(path for top in ("harness", "plugins", "benchmarks") for path in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("top", ["harness", "plugins", "benchmarks"])
def test_docstrings_of_functions_begin_with_a_verb(top: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in SOURCES
        if path.is_relative_to(ROOT / top)
        for line, text in _docstrings(path)
        if re.split(r"[\s,.;:]", text)[0] not in VERBS
    ]
    assert found == []


@pytest.mark.parametrize("word", REFUSED)
def test_a_refused_word_is_in_no_source(word: str) -> None:
    pattern = re.compile(rf"\b{word}\b")
    files = [*SOURCES, *(ROOT / "studies").glob("*.toml"), ROOT / "harness.toml"]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path.name not in ALLOWED
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of the docstring of every function that is no property."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            properties = any("property" in ast.dump(decorator) for decorator in node.decorator_list)
            if not properties and (text := ast.get_docstring(node)):
                yield node.lineno, text
