"""How a run is stopped before its work is done: by Ctrl-C, another signal, a time limit or an error."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CTRL_C = "interrupted by the user"


class Stop:
    """A request to end the run, which whoever runs trials looks at; safe in a signal handler and from any thread."""

    def __init__(self) -> None:
        self.reason = ""
        self.break_off: Callable[[], None] = lambda: None
        """Called by the handler of a signal; set while what runs would not look soon."""

    def __bool__(self) -> bool:
        return bool(self.reason)

    def ask(self, reason: str) -> None:
        """Ask for the end; the first reason is kept."""
        self.reason = self.reason or reason

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the handler of a signal break off what runs inside, and nothing else."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        self.break_off = interrupt
        try:
            if self:
                interrupt()
            yield
        finally:
            self.break_off = lambda: None


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """End the run in good order on Ctrl-C, SIGTERM and a closed terminal; a second Ctrl-C ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if stop.reason == CTRL_C:
            raise KeyboardInterrupt
        stop.ask(CTRL_C if number == signal.SIGINT else f"ended by signal {number}")
        stop.break_off()

    ending = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup: the terminal may go
        ending.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def time_limit(stop: Stop, seconds: float | None) -> Iterator[None]:
    """End the run in good order after so many seconds; None is no limit."""
    if seconds is None:
        yield
        return

    def end() -> None:
        stop.ask(f"the time limit of {seconds:g} s is over")
        if handled:  # the handler above breaks off what runs in the main thread
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    handled = threading.current_thread() is threading.main_thread()
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
