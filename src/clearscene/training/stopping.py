"""Ctrl-C and SIGTERM as a wish: a training writes a checkpoint before it ends."""

import signal
import sys
import threading
from types import FrameType

__all__ = ["Stopping"]


class Stopping:
    """Within its block the first Ctrl-C or SIGTERM is a wish, told on stderr; a second one interrupts at once.

    Outside of the main thread, which alone is told of signals, it changes nothing.
    """

    def __init__(self) -> None:
        self.is_asked = False
        """True once somebody wished it."""
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what it was before
        self._before.clear()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
        print("stopping after this step; once more to stop at once", file=sys.stderr)
