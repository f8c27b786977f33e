"""A batch of scenes: one after the other, finished ones skipped, a bad one reported and passed over."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from pydantic import ValidationError

from clearscene.batch import Failure, file_state, scene_name, what_changed
from clearscene.errors import ClearsceneError, OutputError
from clearscene.inspection.inputs import result_folders
from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector
from clearscene.inspection.result import Report

__all__ = ["BatchProgress", "SceneResult", "inspect_batch"]

logger = logging.getLogger(__name__)

BatchProgress = Callable[[str, str, float], None]
"""Called with the scene, the stage, and how much of the stage is done, 0 to 1; at the end of a scene
with the stage `done`, `skipped` or `failed`."""


@dataclass(frozen=True)
class SceneResult:
    """What became of one scene of a batch."""

    scene: str
    folder: Path
    outcome: Report | Failure
    was_skipped: bool = False
    """True if the result was there already."""
    differs: str = ""
    """Why the result that was there may not be what was asked for now; empty if it is."""


def inspect_batch(
    scenes: Sequence[str],
    out: Path,
    inspector: Inspector,
    *,
    overwrite: bool,
    progress: BatchProgress,
) -> list[SceneResult]:
    """Inspect scenes one after the other; results in the order of the scenes.

    A scene that fails is a `Failure` in the list, and the batch goes on. A folder of results that
    cannot be written to, or a full disk, ends the batch: every other scene would fail alike.

    Raises:
        OutputError: The folder `out` cannot be written to.
    """
    folders = result_folders(scenes, out)
    results = []
    for scene, folder in zip(scenes, folders, strict=True):
        done = None if overwrite else _finished(folder)
        if done is not None:
            differs = _differs(done, scene, inspector)
            results.append(SceneResult(scene, folder, done, was_skipped=True, differs=differs))
            progress(scene, "skipped", 1.0)
            continue
        results.append(_inspect_one(scene, folder, inspector, progress))
    return results


def _inspect_one(scene: str, folder: Path, inspector: Inspector, progress: BatchProgress) -> SceneResult:
    def scene_progress(stage: str, share: float) -> None:
        progress(scene, stage, share)

    started = perf_counter()
    try:
        report = inspect_scene(scene, folder, inspector, progress=scene_progress)
    except OutputError:
        raise
    except ClearsceneError as error:
        failure = _failure(scene, error.message, error.hint)
    except MemoryError:
        failure = _failure(scene, "There was not enough memory.", "Use fewer --workers.")
    except Exception as error:
        # A fault of ours in one scene must not cost the user the rest of the batch.
        logger.exception("unexpected error in %s", scene)
        hint = "This is a fault in clearscene: please report it with the lines above."
        failure = _failure(scene, f"Unexpected {type(error).__name__}: {error}", hint)
    else:
        progress(scene, "done", 1.0)
        return SceneResult(scene, folder, report)
    progress(scene, "failed", 1.0)
    return SceneResult(scene, folder, replace(failure, seconds=perf_counter() - started))


def _differs(done: Report, scene: str, inspector: Inspector) -> str:
    """What has changed since a scene was inspected: the options, the file itself, or a model."""
    changed = what_changed(
        options=(done.options, inspector.options.record()),
        files=(done.scene.file_state, file_state(scene)),
        models=(
            {d.name.removeprefix("model:"): d.version for d in done.detectors if d.kind == "model"},
            inspector.model_versions,
        ),
    )
    return changed or ("without the model for cloud masks" if inspector.lacks_witness(done) else "")


def _failure(scene: str, error: str, hint: str) -> Failure:
    return Failure(name=scene_name(scene), path=scene, error=error, hint=hint)


def _finished(folder: Path) -> Report | None:
    """The report of a result that is there and whole, or None."""
    try:
        return Report.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("%s cannot be read and is made again: %s", folder / "report.json", error)
        return None
