"""Patients whose names differ only in their spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness_datasets.manifest.entries import Entry

_MOST_SHOWN = 5


def spelled_alike(entries: Sequence[Entry], column: str) -> Iterator[str]:
    """Yield a sentence with the groups of different splits that may be one patient in two spellings.

    Spellings differ in case, in leading zeros, in - and _ and space, or in .0 at the end.
    """
    homes: dict[str, dict[str, str]] = {}
    for entry in entries:
        home = "val" if entry.split == "tune_loc" else entry.split
        homes.setdefault(_plain(entry.group), {}).setdefault(entry.group, home)
    pairs = [
        f"{one!r} ({split}) and {other!r} ({own[other]})"
        for own in homes.values()
        for one, split in list(own.items())[:1]
        for other in own
        if own[other] != split
    ]
    if pairs:
        more = f" and {len(pairs) - _MOST_SHOWN} more" if len(pairs) > _MOST_SHOWN else ""
        yield (
            f"{column}: {len(pairs)} pairs of groups in two splits differ only in spelling, as one patient may: "
            f"{'; '.join(pairs[:_MOST_SHOWN])}{more}; give one patient one spelling"
        )


def _plain(group: str) -> str:
    text = re.sub(r"[\s_-]+", "-", group.casefold())
    return re.sub(r"0*(\d+)", r"\1", re.sub(r"(?<=\d)\.0+$", "", text))
