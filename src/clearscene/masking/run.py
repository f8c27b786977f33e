"""A batch of masks: one scene after the other, finished ones skipped, a bad one reported and passed over."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from clearscene.batch import Failure, file_state, what_changed
from clearscene.errors import ClearsceneError, OutputError
from clearscene.masking.inputs import mask_stems, product_name
from clearscene.masking.result import MaskReport
from clearscene.masking.scene import Prepared, mask_scene
from clearscene.masking.staging import finished

__all__ = ["BatchProgress", "MaskOutcome", "mask_batch"]

logger = logging.getLogger(__name__)

BatchProgress = Callable[[str, str, float], None]
"""Called with the scene, the stage, and how much of the stage is done, 0 to 1; at the end of a scene
with the stage `done`, `skipped` or `failed`."""


@dataclass(frozen=True)
class MaskOutcome:
    """What became of one scene of a batch."""

    scene: str
    stem: str
    outcome: MaskReport | Failure
    was_skipped: bool = False
    """True if the mask was there already."""
    differs: str = ""
    """Why the mask that was there may not be what was asked for now; empty if it is."""


def mask_batch(
    scenes: Sequence[str], out: Path, prepared: Prepared, *, overwrite: bool, progress: BatchProgress
) -> list[MaskOutcome]:
    """Mask scenes one after the other; outcomes in the order of the scenes.

    A scene that fails is a `Failure` in the list, and the batch goes on. A folder that cannot be written
    to, or a full disk, ends the batch: every other scene would fail alike.

    Raises:
        OutputError: `out` cannot be written to.
    """
    outcomes = []
    for scene, stem in zip(scenes, mask_stems(scenes, out), strict=True):
        done = None if overwrite else finished(out, stem)
        if done is not None:
            outcomes.append(MaskOutcome(scene, stem, done, was_skipped=True, differs=_differs(done, scene, prepared)))
            progress(scene, "skipped", 1.0)
            continue
        outcomes.append(_mask_one(scene, out, stem, prepared, progress=progress))
    return outcomes


def _mask_one(scene: str, out: Path, stem: str, prepared: Prepared, *, progress: BatchProgress) -> MaskOutcome:
    started = perf_counter()
    try:
        report = mask_scene(scene, out, stem, prepared, progress=lambda stage, share: progress(scene, stage, share))
    except OutputError:
        raise
    except ClearsceneError as error:
        text, hint = error.message, error.hint
    except MemoryError:
        text, hint = "There was not enough memory.", "Use fewer --workers."
    except Exception as error:
        # A fault of ours in one scene must not cost the user the rest of the batch.
        logger.exception("unexpected error in %s", scene)
        text = f"Unexpected {type(error).__name__}: {error}"
        hint = "This is a fault in clearscene: please report it with the lines above."
    else:
        progress(scene, "done", 1.0)
        return MaskOutcome(scene, stem, report)
    progress(scene, "failed", 1.0)
    return MaskOutcome(scene, stem, Failure(product_name(scene), scene, text, hint, perf_counter() - started))


def _differs(done: MaskReport, scene: str, prepared: Prepared) -> str:
    """What has changed since a scene was masked: the options, the file itself, or a model."""
    return what_changed(
        options=(done.options, prepared.options.record()),
        files=(done.scene.file_state, file_state(scene)),
        models=({m.name: m.version for m in done.models}, {o.name: o.version for o in prepared.masker.traits.origins}),
    )
