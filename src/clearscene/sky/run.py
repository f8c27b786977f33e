"""A batch of sky masks: one photo after the other, finished ones skipped, a bad one reported and passed over."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clearscene import __version__
from clearscene.batch import file_state
from clearscene.errors import ClearsceneError, OutputError, SceneError
from clearscene.sky.api import mask_pixels
from clearscene.sky.masks import KEEP, heatmap, merged, read_mask, write_image
from clearscene.sky.model import SkyModel
from clearscene.sky.names import existing_mask, heatmap_name, mask_name, relative_places
from clearscene.sky.options import SkyOptions
from clearscene.sky.photo import read_photo, stored
from clearscene.sky.result import RECORD, BatchRecord, Failed, PhotoRecord, earlier_photos, write_batch
from clearscene.timing import peak_memory_mb

__all__ = ["BatchProgress", "SkyBatch", "sky_batch"]

logger = logging.getLogger(__name__)

BatchProgress = Callable[[str, str, float], None]
"""Called with the photo, the stage and its share; at the end of a photo with `done`, `skipped` or `failed`."""
SAVING_SHARE = 0.05
"""Of the time of a batch, that writing its record between photos may take."""


@dataclass(frozen=True)
class SkyBatch:
    """What became of a batch."""

    record: BatchRecord
    done: tuple[PhotoRecord, ...]
    """Photos of this call that have a mask; the record has those of earlier calls as well."""
    skipped: frozenset[str]
    """Photos whose masks were there already."""


def sky_batch(
    photos: Mapping[Path, Path | None],
    out: Path,
    *,
    options: SkyOptions,
    overwrite: bool = False,
    progress: BatchProgress = lambda *_: None,
) -> SkyBatch:
    """Mask photos one after the other and write `sky.json` into `out`; `photos` as `find_photos` gives them.

    A photo that fails is listed, and the batch goes on. A folder that cannot be written to, or a full disk, ends it.
    Laws: also after an end like that, or Ctrl-C, `sky.json` names the masks that were made, with those of earlier calls
    that lie in `out`; without `overwrite` no file is replaced that it does not name.

    Raises:
        ModelError: There is no such model, or it is not for sky.
        OutputError: `out` cannot be written to.
    """
    return _Batch(photos, out, options, overwrite=overwrite, progress=progress).run()


@dataclass(frozen=True)
class _Job:
    """What is to be done for a photo, and what is there for it."""

    photo: Path
    target: PurePosixPath
    """Place of the mask below `out`."""
    picture: PurePosixPath | None
    """Place of the heat map, if one is wanted or there already."""
    other: Path | None
    """Mask to merge."""
    earlier: PhotoRecord | None
    """What an earlier call left at `target`."""


class _Batch:
    """One call."""

    def __init__(
        self,
        photos: Mapping[Path, Path | None],
        out: Path,
        options: SkyOptions,
        *,
        overwrite: bool,
        progress: BatchProgress,
    ) -> None:
        self.out, self.options, self.overwrite, self.progress = out, options, overwrite, progress
        self.model = SkyModel.load(options)
        self.places = relative_places(list(photos), {photo: root for photo, root in photos.items() if root})
        self.sources = {photo.resolve() for photo in photos}
        self.earlier = earlier_photos(out, self.model.name, options.record())
        self.done: list[PhotoRecord] = []
        self.skipped: set[str] = set()
        self.failed: list[Failed] = []
        self.taken: dict[PurePosixPath, Path] = {}
        self.start = self.saved = perf_counter()
        self.saving = 0.0

    def run(self) -> SkyBatch:
        """All photos."""
        try:
            for photo, place in self.places.items():
                self._try(photo, place)
                if (perf_counter() - self.saved) * SAVING_SHARE > self.saving:
                    self._save()
        except BaseException:  # Ctrl-C too: what is done is known to the next call
            with suppress(OSError):
                self._save()
            raise
        return SkyBatch(self._save(), tuple(self.done), frozenset(self.skipped))

    def _save(self) -> BatchRecord:
        before = perf_counter()
        record = self._record(before - self.start)
        self.out.mkdir(parents=True, exist_ok=True)
        write_batch(record, self.out / RECORD)
        self.saved = perf_counter()
        self.saving = self.saved - before
        return record

    def _try(self, photo: Path, place: PurePosixPath) -> None:
        stage = "failed"
        try:
            stage = self._settled(photo, place)
        except OutputError:
            raise
        except ClearsceneError as error:
            self.failed.append(Failed(photo=str(photo), error=error.message, hint=error.hint))
        except MemoryError:
            self.failed.append(Failed(photo=str(photo), error="There was not enough memory."))
        except Exception as error:
            # A fault of ours in one photo must not cost the user the rest of the batch.
            logger.exception("unexpected error in %s", photo)
            text = f"Unexpected {type(error).__name__}: {error}"
            hint = "This is a fault in clearscene: please report it with the lines above."
            self.failed.append(Failed(photo=str(photo), error=text, hint=hint))
        self.progress(str(photo), stage, 1.0)

    def _settled(self, photo: Path, place: PurePosixPath) -> str:
        """Skip the photo if its mask stands, else mask it; says which."""
        job = self._job(photo, place)
        if job.earlier is not None and self._stands(job, job.earlier):
            self.done.append(job.earlier)
            self.skipped.add(str(photo))
            return "skipped"
        self._check_replaced(job)
        self.done.append(self._mask(job))
        return "done"

    def _job(self, photo: Path, place: PurePosixPath) -> _Job:
        target = self._reserved(photo, place.with_name(mask_name(place.name, self.options.target)), "mask")
        earlier = self.earlier.get(str(target))
        picture = None
        if self.options.heatmap or (earlier is not None and self._is_there(earlier.heatmap)):
            picture = self._reserved(photo, place.with_name(heatmap_name(place.name)), "heat map")
        other = existing_mask(self.options.merge, place) if self.options.merge else None
        if other is not None and other.resolve() in self.sources:
            other = None  # masks may lie beside the photos
        return _Job(photo, target, picture, other, earlier)

    def _reserved(self, photo: Path, target: PurePosixPath, what: str) -> PurePosixPath:
        """A place to write to, refused if it is that of another photo's or a photo itself."""
        other = self.taken.get(target)
        if other is not None or (self.out / target).resolve() in self.sources:
            fate = f"be that of {other}" if other else "replace a photo"
            raise SceneError(
                f"{photo}: its {what} {target} would {fate}.",
                hint="Give the photos names of their own, or mask them into two folders.",
            )
        self.taken[target] = photo
        return target

    def _stands(self, job: _Job, earlier: PhotoRecord) -> bool:
        """True if an earlier call did just this, with files that have not changed since."""
        is_same = not self.overwrite and earlier.made_with is None and earlier.photo == str(job.photo)
        merged_now = (str(job.other), file_state(str(job.other))) if job.other else (None, "")
        return (
            is_same
            and self._is_there(earlier.mask)
            and earlier.file_state == file_state(earlier.photo)
            and (earlier.merged, earlier.merged_state) == merged_now
            and (not self.options.heatmap or self._is_there(earlier.heatmap))
        )

    def _is_there(self, place: str | None) -> bool:
        return place is not None and (self.out / place).is_file()

    def _check_replaced(self, job: _Job) -> None:
        """Refuse to replace what is not ours, unless a mask is merged into its own place or all may be replaced."""
        mask = self.out / job.target
        is_merged = job.other is not None and job.other.resolve() == mask.resolve()
        if is_merged and self.options.invert:
            text = f"{job.photo}: {mask} cannot be merged and become its own inverse."
            raise SceneError(text, hint="Write to another folder with --out.")
        if self.overwrite:
            return
        if job.earlier is None and not is_merged and mask.exists():
            hint = f"Keep what it hides with --merge {self.out}, or replace it with --overwrite."
            raise SceneError(f"{job.photo}: this command did not make the mask {mask}.", hint=hint)
        had = job.earlier.heatmap if job.earlier is not None else None
        if job.picture is not None and str(job.picture) != had and (self.out / job.picture).exists():
            text = f"{job.photo}: this command did not make {self.out / job.picture}, the place of the heat map."
            raise SceneError(text, hint="Move it away, or replace it with --overwrite.")

    def _mask(self, job: _Job) -> PhotoRecord:
        """One photo: read, look, merge, write."""
        start, options, name = perf_counter(), self.options, str(job.photo)
        state = file_state(name)
        self.progress(name, "read", 0.0)
        read = read_photo(job.photo)
        self.progress(name, "look", 0.0)
        seen = mask_pixels(read.pixels, self.model, options)
        self.progress(name, "write", 0.0)
        mask = self._with_other(seen.mask, job.other, read.orientation)
        made = self._as_the_tool_wants(mask, read.orientation)
        if job.picture is not None:
            write_image(self.out / job.picture, heatmap(read.pixels, seen.probability))
        write_image(self.out / job.target, made)
        return PhotoRecord(
            photo=name,
            mask=str(job.target),
            heatmap=str(job.picture) if job.picture else None,
            height=made.shape[0],
            width=made.shape[1],
            orientation=read.orientation,
            sky_percent=round(seen.sky_percent, 3),
            hidden_percent=round(100 * float((mask != KEEP).mean()), 3),
            has_sky=seen.check.has_sky,
            largest_percent=round(100 * seen.check.largest_share, 3),
            mean_probability=round(seen.check.mean_probability, 4),
            merged=str(job.other) if job.other else None,
            merged_state=file_state(str(job.other)) if job.other else "",  # now: it may lie where the mask went
            file_state=state,
            seconds=round(perf_counter() - start, 3),
            notes=list(seen.notes),
        )

    def _with_other(self, mask: NDArray[np.uint8], other: Path | None, orientation: int) -> NDArray[np.uint8]:
        """The upright mask with what the other one hides."""
        if other is None:
            return mask
        shape, is_upright = (mask.shape[0], mask.shape[1]), self.options.target == "odm"
        return merged(mask, read_mask(other, shape, orientation=orientation, is_upright=is_upright))

    def _as_the_tool_wants(self, mask: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
        """Polarity and turn; OpenSfM, in OpenDroneMap, turns photos upright before it looks at masks."""
        chosen = 255 - mask if self.options.invert else mask
        return chosen if self.options.target == "odm" else stored(chosen, orientation)

    def _record(self, seconds: float) -> BatchRecord:
        fresh = [entry for entry in self.done if entry.photo not in self.skipped]
        made = {entry.mask for entry in self.done}
        others = [entry for mask, entry in self.earlier.items() if mask not in made and self._is_there(mask)]
        mpx = sum(entry.height * entry.width for entry in fresh) / 1e6
        return BatchRecord(
            clearscene_version=__version__,
            created=datetime.now(UTC),
            model=self.model.name,
            provider=self.model.model.provider,
            options=self.options.record(),
            photos=[*self.done, *others],
            failed=self.failed,
            seconds=round(seconds, 3),
            seconds_per_mpx=round(seconds / mpx, 4) if mpx else 0.0,
            peak_memory_mb=peak_memory_mb(),
        )
