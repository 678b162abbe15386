"""What a sample of a data set is, in the words of `Component.needs`: who reads single images cannot read bags."""

from __future__ import annotations

from collections.abc import Mapping, Set

from harness.contract.types import SampleKind, Task

OFFERED: Mapping[SampleKind, frozenset[str]] = {
    "image": frozenset({"single_image"}),
    "bag": frozenset({"instances", "bag"}),
    "views": frozenset({"instances", "views"}),
    "features": frozenset({"instances", "features"}),
}
"""Kind of sample -> what it offers. "instances" are offered by whatever has several of them, of any kind."""

WORDS = frozenset().union(*OFFERED.values())


def unmet(needs: Set[str], provides: Set[str], task: Task) -> list[str]:
    """What a component needs and does not find; one that names no kind of sample reads single images.

    Args:
        needs: the component's, and those of its parts.
        provides: of the data set and the parts.
        task: says what a sample is.
    """
    implied = {"single_image"} if task.sample != "image" and not needs & WORDS else set()
    return sorted((needs | implied) - provides)
