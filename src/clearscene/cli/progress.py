"""The progress bar of a batch: the scene, its stage, the time left. Goes to stderr."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clearscene.batch import scene_name

__all__ = ["SceneProgress", "interruptible"]

SHARES = {
    "scan": 0.1,
    "detect": 0.7,
    "seams": 0.05,
    "model": 0.7,
    "clouds": 0.1,
    "polygons": 0.05,
    "write": 0.1,
    "report": 0.05,
}
"""How much of a scene's bar each stage fills, about as long as it takes."""


class SceneProgress:
    """A bar over all scenes and one over the current scene; call it as a `BatchProgress`."""

    def __init__(
        self, console: Console, *, n_scenes: int, is_quiet: bool, shares: Mapping[str, float] = SHARES
    ) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=is_quiet or not console.is_terminal,
        )
        self._n_scenes, self._shares = n_scenes, dict(shares)
        self._batch = self._progress.add_task("all scenes", total=n_scenes, visible=n_scenes > 1)
        self._scene = self._progress.add_task("", total=1.0, visible=False)

    def __enter__(self) -> "SceneProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, scene: str, stage: str, share: float) -> None:
        """Show how far a scene is; see `BatchProgress`."""
        if stage in ("done", "skipped", "failed"):
            self._progress.advance(self._batch)
            self._progress.update(self._scene, visible=False)
            return
        names = list(self._shares)
        before = sum(self._shares[name] for name in names[: names.index(stage)])
        self._progress.update(
            self._scene,
            description=f"{scene_name(scene)}: {stage}",
            completed=min(1.0, before + self._shares[stage] * share),
            visible=True,
        )


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """Let Ctrl-C end the command with exit code 130, and say on stderr what is `kept`.

    Raises:
        Exit: It was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {kept}", err=True)
        raise typer.Exit(130) from None
