"""Progress where there is no terminal, as in a log: a line on stderr now and then."""

import time
from collections.abc import Callable

import typer

__all__ = ["PlainProgress"]

SOON_S, LATE_S = 5.0, 30.0
"""Least seconds from line to line, and those after which one comes whatever is done."""


class PlainProgress:
    """Prints `TITLE: 30 %, TEXT` after each tenth of the work or half a minute, and never twice within five seconds.

    Law: what takes less than five seconds prints nothing. `clock` gives seconds.
    """

    def __init__(self, title: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._last, self._tenths = clock(), 0

    def __call__(self, share: float, text: str = "") -> None:
        """Tell that `share` of the work, 0 to 1, is done."""
        passed, tenths = self._clock() - self._last, int(10 * share + 1e-9)
        if passed < SOON_S or (tenths == self._tenths and passed < LATE_S):
            return
        self._last, self._tenths = self._clock(), tenths
        typer.echo(f"{self._title}: {100 * share:.0f} %{f', {text}' if text else ''}", err=True)
