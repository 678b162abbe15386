"""The stacks of a worker that ends without a word: by `os._exit`, by a signal, or because it reports nothing.

The worker writes them to a file, which the driver reads when the worker is lost.
"""

from __future__ import annotations

import faulthandler
import os
import re
from pathlib import Path
from typing import IO, Any, NoReturn

MOST_LINES = 40
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE)
_EXIT = "os._exit("
_STALL = "Timeout ("


class LastWords:
    """The worker's side; one for a process.

    Args:
        path: of the file; None to write nothing, as on a machine that shares no disk with the driver.
    """

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        self._pid, self._exit = os.getpid(), os._exit

    def begin(self, path: Path) -> None:
        """Write the stacks of this process to a file from now on; a folder that is missing disables it."""
        self.end()
        if not path.parent.is_dir():
            return
        self._file = path.open("w", encoding="utf-8")
        faulthandler.enable(self._file)
        os._exit = self._leave

    def wait(self, seconds: float | None) -> None:
        """End the process with its stacks if `rest` is not called in time; None is no limit."""
        if self._file is not None and seconds is not None:
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)

    def rest(self) -> None:
        """End the time limit of `wait`."""
        faulthandler.cancel_dump_traceback_later()

    def end(self) -> None:
        """Close the file, and leave `os._exit` as it was."""
        os._exit = self._exit
        if self._file is not None:
            self.rest()
            faulthandler.disable()
            self._file.close()
            self._file = None

    def _leave(self, status: int) -> NoReturn:
        if self._file is not None and os.getpid() == self._pid:  # not in a process that a plugin forked
            self._file.write(f"{_EXIT}{status})\n")
            self._file.flush()
            faulthandler.dump_traceback(self._file)
        self._exit(status)


def read_last_words(path: Path) -> str:
    """Return what a lost worker wrote, its last line the cause and the place; "" if it wrote nothing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    if not text:
        return ""
    lines = text.splitlines()
    cause = f"{lines[0]} was called" if lines[0].startswith(_EXIT) else lines[0].removeprefix("Fatal Python error: ")
    if lines[0].startswith(_STALL):
        cause = f"it reported nothing for {lines[0].removeprefix(_STALL).rstrip('!').rstrip(')')} and was ended"
    return "\n".join([*lines[:MOST_LINES], f"{cause}{_place(text)}"])


def _place(text: str) -> str:
    """Return the innermost frame of the thread that ended the process, or of the main thread, without ours."""
    thread = text[text.rfind("hread 0x") :] if "Current thread" not in text else text[text.index("Current thread") :]
    for found in _FRAME.finditer(thread):
        if Path(found["file"]).name != Path(__file__).name:
            return f" at {found['file']}:{found['line']}, in {found['function']}"
    return ""


def stall_limit(explicit: float | None, known: float | None, epochs: list[Any]) -> float | None:
    """Return the seconds after which a silent trial is ended; None for no limit.

    Args:
        explicit: `compute.stall_s`, or None for ten median epochs and at least 600 s.
        known: median seconds of an epoch in earlier trials of the variant, if there are any.
        epochs: seconds of the epochs of this trial.
    """
    if explicit is not None:
        return explicit
    own = sorted(epochs)[len(epochs) // 2] if epochs else known
    return None if own is None else max(600.0, 10 * own)
