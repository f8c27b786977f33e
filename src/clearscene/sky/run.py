"""A batch of sky masks: one photo after the other, finished ones skipped, a bad one reported and passed over."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clearscene import __version__
from clearscene.errors import ClearsceneError, OutputError, SceneError
from clearscene.inspection.describe import file_state
from clearscene.inspection.timing import peak_memory_mb
from clearscene.sky.api import mask_pixels
from clearscene.sky.masks import KEEP, heatmap, merged, read_mask, write_image
from clearscene.sky.model import SkyModel
from clearscene.sky.names import existing_mask, heatmap_name, mask_name, relative_places
from clearscene.sky.options import SkyOptions
from clearscene.sky.photo import read_photo, stored
from clearscene.sky.result import RECORD, BatchRecord, Failed, PhotoRecord, read_batch, write_batch

__all__ = ["BatchProgress", "SkyBatch", "sky_batch"]

logger = logging.getLogger(__name__)

BatchProgress = Callable[[str, str, float], None]
"""Called with the photo, the stage and its share; at the end of a photo with `done`, `skipped` or `failed`."""


@dataclass(frozen=True)
class SkyBatch:
    """What became of a batch."""

    record: BatchRecord
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

    Raises:
        ModelError: There is no such model, or it is not for sky.
        OutputError: `out` cannot be written to.
    """
    return _Batch(photos, out, options, overwrite=overwrite, progress=progress).run()


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
        self.out, self.options, self.progress = out, options, progress
        self.model = SkyModel.load(options)
        self.places = relative_places(list(photos), {photo: root for photo, root in photos.items() if root})
        before = None if overwrite else read_batch(out / RECORD)
        same = before is not None and before.options == options.record() and before.model == self.model.name
        self.earlier = {entry.photo: entry for entry in before.photos} if before is not None and same else {}
        self.done: list[PhotoRecord] = []
        self.failed: list[Failed] = []
        self.taken: dict[PurePosixPath, Path] = {}

    def run(self) -> SkyBatch:
        """All photos."""
        start, skipped = perf_counter(), set[str]()
        for photo, place in self.places.items():
            earlier = self.earlier.get(str(photo))
            if earlier is not None and self._stands(earlier, photo):
                self.done.append(earlier)
                self.taken[PurePosixPath(earlier.mask)] = photo
                skipped.add(str(photo))
                self.progress(str(photo), "skipped", 1.0)
                continue
            self._try(photo, place)
        record = self._record(perf_counter() - start, skipped)
        self.out.mkdir(parents=True, exist_ok=True)
        write_batch(record, self.out / RECORD)
        return SkyBatch(record, frozenset(skipped))

    def _stands(self, earlier: PhotoRecord, photo: Path) -> bool:
        """True if the mask of an earlier run is there and the photo has not changed."""
        return (self.out / earlier.mask).is_file() and earlier.file_state == file_state(str(photo))

    def _try(self, photo: Path, place: PurePosixPath) -> None:
        try:
            self.done.append(self._mask(photo, place))
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
        else:
            self.progress(str(photo), "done", 1.0)
            return
        self.progress(str(photo), "failed", 1.0)

    def _mask(self, photo: Path, place: PurePosixPath) -> PhotoRecord:
        """One photo: read, look, merge, write."""
        start, options, name = perf_counter(), self.options, str(photo)
        target = self._reserved(photo, place.with_name(mask_name(place.name, options.target)))
        self.progress(name, "read", 0.0)
        read = read_photo(photo)
        self.progress(name, "look", 0.0)
        seen = mask_pixels(read.pixels, self.model, options)
        self.progress(name, "write", 0.0)
        mask, other = self._with_other(seen.mask, place, read.orientation)
        made = stored(255 - mask if options.invert else mask, read.orientation)
        write_image(self.out / target, made)
        picture = place.with_name(heatmap_name(place.name)) if options.heatmap else None
        if picture is not None:
            write_image(self.out / picture, heatmap(read.pixels, seen.probability))
        return PhotoRecord(
            photo=name,
            mask=str(target),
            heatmap=str(picture) if picture else None,
            height=made.shape[0],
            width=made.shape[1],
            orientation=read.orientation,
            sky_percent=round(seen.sky_percent, 3),
            hidden_percent=round(100 * float((mask != KEEP).mean()), 3),
            has_sky=seen.check.has_sky,
            largest_percent=round(100 * seen.check.largest_share, 3),
            mean_probability=round(seen.check.mean_probability, 4),
            merged=str(other) if other else None,
            file_state=file_state(name),
            seconds=round(perf_counter() - start, 3),
            notes=list(seen.notes),
        )

    def _reserved(self, photo: Path, target: PurePosixPath) -> PurePosixPath:
        """The place of a mask, refused if it is that of another photo or a photo itself."""
        other = self.taken.get(target)
        if other is not None or (self.out / target).resolve() == photo.resolve():
            raise SceneError(
                f"{photo}: its mask {target} would be that of {other or photo}.",
                hint="Give the photos names of their own, or mask them into two folders.",
            )
        self.taken[target] = photo
        return target

    def _with_other(
        self, mask: NDArray[np.uint8], place: PurePosixPath, orientation: int
    ) -> tuple[NDArray[np.uint8], Path | None]:
        """The mask with what another one hides, and that other one."""
        other = existing_mask(self.options.merge, place) if self.options.merge else None
        if other is None:
            return mask, None
        shape = (mask.shape[0], mask.shape[1])
        return merged(mask, read_mask(other, shape, orientation=orientation)), other

    def _record(self, seconds: float, skipped: set[str]) -> BatchRecord:
        fresh = [entry for entry in self.done if entry.photo not in skipped]
        mpx = sum(entry.height * entry.width for entry in fresh) / 1e6
        return BatchRecord(
            clearscene_version=__version__,
            created=datetime.now(UTC),
            model=self.model.name,
            provider=self.model.model.provider,
            options=self.options.record(),
            photos=self.done,
            failed=self.failed,
            seconds=round(seconds, 3),
            seconds_per_mpx=round(seconds / mpx, 4) if mpx else 0.0,
            peak_memory_mb=peak_memory_mb(),
        )
