"""Facts of files without decoding them: digest and header; cached by path and stamp."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import stamp_of
from harness_datasets.manifest.images.facts import Header
from harness_datasets.manifest.images.formats import header

FORMAT = 2
"""Of the remembered facts; others are forgotten."""


@dataclass(frozen=True)
class FileFacts:
    """Of one image or mask file.

    Args:
        stamp: see `harness.stamp_of`; the facts hold as long as it does.
        digest: sha256 of the content.
        header: what its header states; zeros where it cannot be read.
        error: why the header cannot be read, or "".
    """

    stamp: tuple[int, ...]
    digest: str
    header: Header = Header(0, 0, 8)
    error: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, upright."""
        return self.header.height, self.header.width


def describe_files(paths: Iterable[Path], memory: Path | None = None) -> Mapping[Path, FileFacts]:
    """Return the facts of each file that exists; a file is read again only if it changed.

    Args:
        paths: of images and masks, duplicates allowed.
        memory: a JSON file that remembers from one call to the next; None remembers nothing.
    """
    known = _recall(memory)
    wanted = sorted(set(paths))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = dict(zip(wanted, pool.map(lambda path: _describe(path, known.get(str(path))), wanted), strict=True))
    facts = {path: fact for path, fact in found.items() if fact is not None}
    if memory is not None and any(known.get(str(path)) != fact for path, fact in facts.items()):
        _remember(memory, known | {str(path): fact for path, fact in facts.items()})
    return facts


def memory_for(manifest: Path) -> Path:
    """Return the path where facts of a manifest's files are kept: in the user's cache folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "mil-harness" / f"files-{hashlib.sha256(str(manifest.resolve()).encode()).hexdigest()[:16]}.json"


def _describe(path: Path, known: FileFacts | None) -> FileFacts | None:
    try:
        state = path.stat()
        stamp = stamp_of(state)
        if known is not None and known.stamp == stamp:
            return known
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return FileFacts((), "", error=str(error))
    digest = hashlib.sha256(content).hexdigest()
    try:
        found = header(content, path.suffix)
    except Exception as error:  # decoders raise whatever they like on a damaged file
        return FileFacts(stamp, digest, error=f"{error or type(error).__name__}")
    return FileFacts(stamp, digest, found)


def _recall(memory: Path | None) -> dict[str, FileFacts]:
    try:
        read = json.loads(memory.read_text()) if memory is not None else {}
        facts = read["files"] if read.get("format") == FORMAT else {}
        return {
            path: FileFacts(tuple(fact["stamp"]), fact["digest"], Header(**fact["header"]), fact["error"])
            for path, fact in facts.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _remember(memory: Path, facts: Mapping[str, FileFacts]) -> None:
    temporary = memory.with_suffix(f".{os.getpid()}.tmp")
    # A read-only or full home folder costs speed, never the run.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        known = {str(path): asdict(fact) for path, fact in facts.items()}
        temporary.write_text(json.dumps({"format": FORMAT, "files": known}))
        temporary.replace(memory)
