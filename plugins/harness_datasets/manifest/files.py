"""Facts of files without decoding them: digest, size, depth; cached by path, time and length."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from harness_datasets.manifest.images import header


@dataclass(frozen=True)
class FileFacts:
    """Of one image or mask file.

    Args:
        stamp: time of change and length; the facts hold as long as it does.
        digest: sha256 of the content.
        height: in pixels.
        width: in pixels.
        bits: 8 or 16.
        error: why the header cannot be read, or "".
    """

    stamp: tuple[int, int]
    digest: str
    height: int = 0
    width: int = 0
    bits: int = 8
    error: str = ""


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
        stamp = (state.st_mtime_ns, state.st_size)
        if known is not None and known.stamp == stamp:
            return known
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return FileFacts((0, 0), "", error=str(error))
    digest = hashlib.sha256(content).hexdigest()
    try:
        height, width, bits = header(content, path.suffix)
    except Exception as error:  # decoders raise whatever they like on a damaged file
        return FileFacts(stamp, digest, error=f"{error or type(error).__name__}")
    return FileFacts(stamp, digest, height, width, bits)


def _recall(memory: Path | None) -> dict[str, FileFacts]:
    try:
        read = json.loads(memory.read_text()) if memory is not None else {}
        return {path: FileFacts(**{**fact, "stamp": tuple(fact["stamp"])}) for path, fact in read.items()}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _remember(memory: Path, facts: Mapping[str, FileFacts]) -> None:
    temporary = memory.with_suffix(f".{os.getpid()}.tmp")
    # A read-only or full home folder costs speed, never the run.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({path: asdict(fact) for path, fact in facts.items()}))
        temporary.replace(memory)
