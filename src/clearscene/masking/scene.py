"""The mask of one scene, from reflectance to files, in the order a pixel travels."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clearscene import __version__
from clearscene.masking.buffer import buffered, radius_px
from clearscene.masking.choose import load_masker
from clearscene.masking.classes import NODATA, MaskClass, legend
from clearscene.masking.combine import Wide
from clearscene.masking.describe import copied, looks_record, model_records, scene_record, shares_of, with_notes
from clearscene.masking.engine import known_classes, mask_pieces, plan_for
from clearscene.masking.fitting import check_source, fitted, source_notes
from clearscene.masking.masker import Masker
from clearscene.masking.options import MaskOptions
from clearscene.masking.outputs import (
    ClassReader,
    confidence_writer,
    mask_writer,
    percent_of,
    share_tags,
    write_polygons,
    write_style,
)
from clearscene.masking.quality import compare_with_qa, write_agreement_style
from clearscene.masking.result import Agreement, Cost, MaskReport, write_report
from clearscene.masking.source import Source
from clearscene.masking.stac import write_item
from clearscene.masking.staging import staged
from clearscene.raster.cog import CogWriter
from clearscene.raster.sensors import ReflectanceScene, open_reflectance
from clearscene.raster.sensors.placing import pixel_size_m
from clearscene.timing import Stopwatch, peak_memory_mb

__all__ = ["MaskJob", "Prepared", "Progress", "mask_scene", "opened", "prepare_mask", "silent"]

Progress = Callable[[str, float], None]
"""Called with the name of the stage and how much of it is done, 0 to 1."""


def silent(stage: str, share: float) -> None:
    """Progress for those who do not watch."""


@dataclass(frozen=True)
class Prepared:
    """What masking needs besides the scene: made once, used for every scene of a batch."""

    options: MaskOptions
    masker: Masker

    def fitted_to(self, source: Source, pixel: tuple[float, float] | None) -> Self:
        """The same with the masker as it looks at this source, whose pixels are of this size in meters."""
        return replace(self, masker=fitted(self.masker, self.options, bands=source.bands, pixel=pixel))


def prepare_mask(options: MaskOptions) -> Prepared:
    """Load the models, so that every mistake in the options shows before work starts.

    Raises:
        ClearsceneError: As `load_masker`.
    """
    return Prepared(options, load_masker(options))


def opened(path: str | Path, options: MaskOptions) -> ReflectanceScene:
    """A file, product or Item as the options say that it reads; raises as `open_reflectance`."""
    return open_reflectance(
        path,
        bands=options.bands,
        scale=options.scale,
        offset=options.offset,
        resolution=options.resolution,
        nodata=options.nodata,
        kind=options.kind,
    )


def mask_scene(path: str, out: Path, stem: str, prepared: Prepared, *, progress: Progress = silent) -> MaskReport:
    """Mask one scene and leave its files `stem_mask.tif` and so on in `out`, all of them or none.

    Memory: some tiles, a strip of the row of tiles being blended, and GDAL's block cache; with
    polygons also their outlines.

    Raises:
        ClearsceneError: The scene cannot be read, an option does not fit it, or the result cannot be written.
    """
    options = prepared.options
    with (
        staged(out, stem) as folder,
        opened(path, options) as scene,
    ):
        return MaskJob(scene, prepared.fitted_to(scene, pixel_size_m(scene.grid)), folder, stem, progress).run()


@dataclass
class MaskJob:
    """One scene on its way through the stages."""

    scene: ReflectanceScene
    prepared: Prepared
    folder: Path
    stem: str
    progress: Progress
    watch: Stopwatch = field(default_factory=Stopwatch)
    files: dict[str, str] = field(default_factory=dict)

    def run(self) -> MaskReport:
        """All stages; the report is that of `_mask.json`."""
        options, masker = self.prepared.options, self.prepared.masker
        bands = check_source(self.scene, masker)
        pixel = pixel_size_m(self.scene.grid)
        radius = radius_px(self.scene.grid, options.buffer_m, pixel) if options.buffer_m else None
        before = [copied(count) for count in masker.looks]
        with self._stage("mask"):
            counts, before_buffer = self._mask(radius)
        agreement, polygons = self._compare(), self._polygons()
        self._keep(options.confidence)
        with self._stage("write"):
            report = self._report(counts, before_buffer, bands, pixel).model_copy(
                update={
                    "agreement": agreement,
                    "looks": looks_record(before, masker.looks) if options.tta else None,
                    **({"polygons": polygons[0]} if polygons else {}),
                }
            )
            report = with_notes(report, options, polygons)
            write_style(self._path("style", "_mask.qml"), self._entries)
            if agreement is not None:
                write_agreement_style(self._path("qa_style", "_qa.qml"))
            self.files |= {"stac": f"{self.stem}_mask.stac.json", "report": f"{self.stem}_mask.json"}
            report = report.model_copy(update={"files": dict(self.files)})
            write_item(report, self.scene.grid, self._entries, self.folder / self.files["stac"])
        report = report.model_copy(update={"cost": self._cost()})
        write_report(report, self.folder / self.files["report"])
        return report

    @property
    def _entries(self) -> tuple[MaskClass, ...]:
        return legend(known_classes(self.prepared.masker, self.prepared.options.classes))

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.progress(name, 0.0)
        with self.watch.stage(name):
            yield

    def _path(self, key: str, end: str) -> Path:
        """The place of a file of the result, which is noted under `key`."""
        self.files[key] = f"{self.stem}{end}"
        return self.folder / self.files[key]

    def _mask(self, radius: tuple[float, float] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Write the mask, and the confidence if anything needs it; pixels by class id, (256,), and before a buffer."""
        final = self._path("mask", "_mask.tif")
        if radius is None:
            counts = self._stream(final)
            return counts, counts
        plain = self.folder / "plain.tif"
        before = self._stream(plain)
        with self._stage("buffer"):
            counts = self._buffer(plain, final, radius)
        for leftover in (plain, plain.with_name(f"{plain.name}.aux.xml")):
            leftover.unlink(missing_ok=True)
        return counts, before

    def _stream(self, path: Path) -> NDArray[np.int64]:
        """Mask tile by tile into `path`."""
        options, masker, grid = self.prepared.options, self.prepared.masker, self.scene.grid
        counts = np.zeros(256, np.int64)
        with ExitStack() as stack:
            writer = stack.enter_context(mask_writer(path, grid, self._entries))
            percents: CogWriter | None = None
            if options.confidence or options.vector:
                target = self._path("confidence", "_confidence.tif")
                percents = stack.enter_context(confidence_writer(target, grid, self._entries))
            for piece in mask_pieces(
                self.scene,
                masker,
                classes=len(self._entries),
                plan=plan_for(self.scene, masker, options),
                progress=lambda share: self.progress("mask", share),
            ):
                row, col = round(piece.window.row_off), round(piece.window.col_off)
                counts += np.bincount(piece.class_map.ravel(), minlength=256)
                writer.write(piece.class_map[np.newaxis], row, col)
                if percents is not None:
                    percents.write(percent_of(piece.probabilities, piece.class_map), row, col)
            writer.tag(share_tags(self._entries, counts))
        return counts

    def _buffer(self, plain: Path, final: Path, radius: tuple[float, float]) -> NDArray[np.int64]:
        grid, counts = self.scene.grid, np.zeros(256, np.int64)
        with ClassReader.open(plain) as reader, mask_writer(final, grid, self._entries) as writer:
            for window, class_map in buffered(reader.read, grid, radius):
                counts += np.bincount(class_map.ravel(), minlength=256)
                writer.write(class_map[np.newaxis], round(window.row_off), round(window.col_off))
                self.progress("buffer", (window.row_off + window.height) / grid.height)
            writer.tag(share_tags(self._entries, counts))
        return counts

    def _compare(self) -> Agreement | None:
        if not self.prepared.options.qa or self.scene.qa is None:
            return None
        with self._stage("compare"):
            return compare_with_qa(
                self._path("qa", "_qa.tif"),
                self.folder / self.files["mask"],
                self.scene.read_qa,
                grid=self.scene.grid,
                entries=self._entries,
                name=self.scene.qa,
            )

    def _polygons(self) -> tuple[int, int] | None:
        """Polygons written and left out; None if none were wanted."""
        if not self.prepared.options.vector:
            return None
        with self._stage("polygons"):
            return write_polygons(
                self._path("vector", "_mask.gpkg"),
                self.folder / self.files["mask"],
                self.folder / self.files["confidence"],
                grid=self.scene.grid,
                entries=self._entries,
            )

    def _keep(self, confidence: bool) -> None:
        """Remove the confidence if only the polygons needed it."""
        if not confidence and "confidence" in self.files:
            (self.folder / self.files.pop("confidence")).unlink()

    def _report(
        self,
        counts: NDArray[np.int64],
        before_buffer: NDArray[np.int64],
        bands: Sequence[str],
        pixel: tuple[float, float] | None,
    ) -> MaskReport:
        options, masker, entries = self.prepared.options, self.prepared.masker, self._entries
        shares, before = shares_of(counts, entries), shares_of(before_buffer, entries)
        valid = int(counts[:NODATA].sum())
        return MaskReport(
            clearscene_version=__version__,
            created=datetime.now(UTC),
            scene=scene_record(self.scene, bands, pixel),
            options=options.record(),
            classes=len(entries),
            models=model_records(masker),
            wide=masker.factor if isinstance(masker, Wide) else 1,
            shares=shares,
            valid_pixels=valid,
            nodata_pixels=int(counts[NODATA]),
            clear_percent=shares[0].percent if valid else None,
            cloud_percent=sum(share.percent for share in before if share.id in (1, 2)) if valid else None,
            notes=source_notes(masker, options, bands=bands, pixel=pixel, n_pixels=self.scene.grid.n_pixels),
            cost=self._cost(),
        )

    def _cost(self) -> Cost:
        seconds = self.watch.seconds
        return Cost(
            seconds=round(seconds, 3),
            seconds_per_mpx=seconds / (self.scene.grid.n_pixels / 1e6),
            peak_memory_mb=peak_memory_mb(),
            workers=self.prepared.options.workers,
            stages={name: round(value, 3) for name, value in self.watch.stages.items()},
        )
