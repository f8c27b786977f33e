"""How a benchmark goes, on stderr, and how it is ended from outside."""

import signal
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Screen"]


class Screen:
    """A bar for what is done at the moment, and a line for what is finished or failed.

    Law: within its block SIGTERM does what Ctrl-C does, so that the processes that read chips end with the run.
    """

    def __init__(self, *, is_quiet: bool) -> None:
        self._console, self._is_quiet = Console(stderr=True), is_quiet
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>5.1f}%"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=is_quiet or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("reading the sets", total=1.0)

    def __enter__(self) -> "Screen":
        self._before = signal.signal(signal.SIGTERM, _interrupt)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        signal.signal(signal.SIGTERM, self._before)

    def stage(self, text: str, share: float) -> None:
        """See `Follower`."""
        self._progress.update(self._task, completed=share, description=text)

    def finished(self, what: str, error: str) -> None:
        """See `Follower`."""
        if error or not self._is_quiet:
            self._console.print(
                f"{what}: {f'failed: {error}' if error else 'done'}", highlight=False, markup=False, soft_wrap=True
            )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
