"""The fusion of images, from files to files, in the order a pixel travels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clearscene.errors import OptionError, SceneError
from clearscene.fusion.checks import Agreed, agree
from clearscene.fusion.describe import Outcome, describe_run
from clearscene.fusion.engine import Fusion, fused_pieces, window_size
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage, describe_image, in_order, told_apart
from clearscene.fusion.inspecting import inspect_all
from clearscene.fusion.masks import make_masks, match_masks
from clearscene.fusion.members import (
    Overview,
    Quality,
    Setting,
    dark_rim,
    find_reference,
    fit_tones,
    judge_all,
    judge_small,
    look_over_all,
    open_members,
    register_all,
    stretch_of,
)
from clearscene.fusion.methods.method import Floats
from clearscene.fusion.outputs import FuseWriters, Plan, Totals, days_of, name_with_date
from clearscene.fusion.page import write_page
from clearscene.fusion.placing import common_grid
from clearscene.fusion.plan import (
    Prepared,
    applied,
    check_scale,
    collar_warnings,
    fitted,
    judged_as,
    level_warnings,
    nodata_for,
    scaling_for,
    tone_warnings,
)
from clearscene.fusion.preview import Preview
from clearscene.fusion.quality import QualityMap
from clearscene.fusion.result import FuseReport, SkippedRecord, write_report
from clearscene.fusion.shifting import Shift
from clearscene.fusion.staging import check_out, record_of, staged
from clearscene.fusion.tone import ToneLine
from clearscene.fusion.viewing import display_bands
from clearscene.grid import Grid
from clearscene.masking.inputs import absolute
from clearscene.raster.stretch import Stretch
from clearscene.timing import Stopwatch, peak_memory_mb

__all__ = ["Progress", "fuse_images", "silent"]

Progress = Callable[[str, float], None]
"""Called with the name of the stage and how much of it is done, 0 to 1."""

MAP_BYTES = 1_000_000
INSPECT = "inspect"


def silent(stage: str, share: float) -> None:
    """Progress for those who do not watch."""


def fuse_images(paths: Sequence[str], out: Path, prepared: Prepared, *, progress: Progress = silent) -> FuseReport:
    """Fuse images into `out` and the files beside it, which appear all together or not at all.

    Laws: the order of `paths` does not matter; with `on_error` skip, the result is that of the images that can be
    read. Memory: the stacks of some windows, GDAL's block cache, small pictures of the images.

    Raises:
        ClearsceneError: An image cannot be read or does not fit the others, or the result cannot be written.
    """
    options = prepared.options
    check_out(out, [*paths, *([options.like] if options.like else [])])
    skipped: list[SkippedRecord] = []
    left = list({absolute(path): path for path in paths}.values())
    while True:
        try:
            report = _run(left, out, prepared, skipped=skipped, progress=progress)
        except ImageError as error:
            if options.on_error != "skip":
                raise
            skipped.append(SkippedRecord(path=absolute(error.image), error=error.message))
            left = [path for path in left if path != error.image]
            if not left:
                raise SceneError(f"None of the {len(paths)} images can be used: {error.message}") from error
        else:
            return report


def _run(
    paths: Sequence[str], out: Path, prepared: Prepared, *, skipped: Sequence[SkippedRecord], progress: Progress
) -> FuseReport:
    options = prepared.options
    with staged(out) as folder:
        job = FuseJob(paths, out, folder, prepared, progress)
        report, preview = job.run(skipped)
    if not options.inspect:
        return report
    progress(INSPECT, 0.0)
    watch = Stopwatch()
    report = inspect_all(report, out, options, progress=lambda share: progress(INSPECT, share))
    stages = {**report.cost.stages, INSPECT: round(watch.seconds, 3)}
    cost = report.cost.model_copy(update={"stages": stages, "peak_memory_mb": peak_memory_mb()})
    report = report.model_copy(update={"cost": cost})
    write_report(report, record_of(out))
    write_page(report, preview, out.parent / report.files["page"])
    return report


@dataclass
class FuseJob:
    """Images on their way through the stages."""

    paths: Sequence[str]
    out: Path
    folder: Path
    prepared: Prepared
    progress: Progress
    watch: Stopwatch = field(default_factory=Stopwatch)
    _dark_rims: list[float] = field(default_factory=list)

    def run(self, skipped: Sequence[SkippedRecord]) -> tuple[FuseReport, Preview]:
        """All stages; the report is that of the JSON record."""
        options = self.prepared.options
        with self._stage("read"):
            images, agreed, grid = self._understand()
            self.prepared = fitted(self.prepared, images)
        with self._stage("masks"):
            masks = self._masks(images)
        setting = Setting(grid, agreed.bands, options, masks)
        with self._stage("align"):
            reference, samples, qualities = self._look(images, setting)
            if not options.reflectance:
                check_scale(images, samples, options)
            warnings = (
                *self.prepared.warnings,
                *level_warnings(images, samples),
                *collar_warnings(images, self._dark_rims),
                *tone_warnings(self.prepared),
            )
            self.prepared = replace(self.prepared, warnings=warnings)
            shifts = register_all(
                images,
                setting,
                reference,
                qualities=qualities,
                progress=lambda share: self.progress("align", share),
            )
            moved = applied(shifts, options)
            tones = {}
            if options.tone == "match":
                tones = fit_tones(images, setting, reference, shifts=moved, qualities=qualities)
            stretch = stretch_of(images, setting, samples)
        with self._stage("quality"):
            maps = self._judge(images, setting, stretch=stretch, moved=moved)
        tells_good = self.prepared.tells_good
        nodata = nodata_for(agreed, images, grid, options=options, shifts=moved, tells_good=tells_good)
        plan = Plan(
            image=self.out.name,
            bands=agreed.bands,
            dtype=agreed.dtype,
            nodata=nodata,
            names=tuple(name_with_date(image.name, image.date) for image in images),
            days=days_of([image.date for image in images]),
            shares=options.quality,
            quality=options.quality and self.prepared.tells_good,
            dates=options.dates,
            scaling=scaling_for(agreed, images, options),
        )
        with self._stage("fuse"):
            totals, preview, window = self._fuse(
                images, setting, plan, moved=moved, tones=tones, maps=maps, stretch=stretch
            )
        with self._stage("write"):
            for quality_map in maps.values():
                quality_map.path.unlink(missing_ok=True)
            report = describe_run(
                self.prepared,
                images,
                setting=setting,
                plan=plan,
                outcome=Outcome(totals, reference, shifts, tones),
                notes=agreed.notes,
            ).model_copy(update={"skipped": sorted(skipped, key=lambda item: item.path)})
            report = report.model_copy(
                update={"cost": report.cost.model_copy(update=self._cost(grid, len(images), window))}
            )
            write_page(report, preview, self.folder / report.files["page"])
            write_report(report, self.folder / report.files["report"])
        return report, preview

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.progress(name, 0.0)
        with self.watch.stage(name):
            yield

    def _understand(self) -> tuple[list[FuseImage], Agreed, Grid]:
        """The images in order, what they have in common, and the grid."""
        options = self.prepared.options
        if not self.paths:
            raise OptionError("There is no image to fuse.", hint="Name two or more of one place.")
        found = [
            describe_image(path, options.bands, scale=options.scale, offset=options.offset, nodata=options.nodata)
            for path in self.paths
        ]
        images = in_order(told_apart(found))
        return images, agree(images, options), common_grid(images, options)

    def _masks(self, images: Sequence[FuseImage]) -> Mapping[str, str]:
        options = self.prepared.options
        if not options.masks:
            return {}
        if options.masks == ("auto",):
            folder = self.folder / "masks"
            return make_masks(images, options, folder, progress=lambda share: self.progress("masks", share))
        masks = match_masks(images, options.masks)
        check_out(self.out, masks.values())
        return masks

    def _look(self, images: Sequence[FuseImage], setting: Setting) -> tuple[int, list[Floats], list[Quality]]:
        """Place of the reference, valid display values of each image, and qualities if anybody needs them."""
        views, samples = [], []
        places = [setting.bands.index(name) for name in display_bands(setting.bands)]
        for view in look_over_all(images, setting):
            views.append(Overview(view.data[places].mean(axis=0, keepdims=True), view.valid, view.good))
            samples.append(view.data[places][:, view.valid].ravel().astype(np.float32))
            self._dark_rims.append(dark_rim(view.data, view.valid))
        wanted, model = setting.options.reference, self.prepared.model
        qualities: list[Quality] = []
        if model is not None and (not wanted or setting.options.tone == "match" or model.tells_good):
            stretch = stretch_of(images, setting, samples)
            goods = [view.good for view in views]
            qualities = judge_small(
                judged_as(images), goods, setting, model, folder=self.folder / "overview", stretch=stretch
            )
        means = [quality.mean for quality in qualities]
        return find_reference(images, views, wanted, qualities=means), samples, qualities

    def _judge(
        self, images: Sequence[FuseImage], setting: Setting, *, stretch: Stretch, moved: Mapping[str, Shift]
    ) -> dict[str, QualityMap]:
        model = self.prepared.model
        if model is None:
            return {}
        return judge_all(
            judged_as(images),
            setting,
            model,
            folder=self.folder,
            shifts=moved,
            stretch=stretch,
            progress=lambda share: self.progress("quality", share),
        )

    def _fuse(
        self,
        images: Sequence[FuseImage],
        setting: Setting,
        plan: Plan,
        *,
        moved: Mapping[str, Shift],
        tones: Mapping[str, tuple[ToneLine, ...] | None],
        maps: Mapping[str, QualityMap],
        stretch: Stretch,
    ) -> tuple[Totals, Preview, int]:
        """Combine window by window and write; counts, pictures, and the side of the windows."""
        options, grid = setting.options, setting.grid
        display = [plan.bands.index(name) for name in display_bands(plan.bands)]
        totals = Totals(len(images))
        has_quality = self.prepared.tells_good
        preview = Preview(grid, len(images), display=display, stretch=stretch, has_quality=has_quality)
        with ExitStack() as stack:
            members = open_members(stack, images, setting, shifts=moved, tones=tones, maps=maps)
            fusion = Fusion(
                members=members,
                grid=grid,
                method=self.prepared.method,
                temperature=options.temperature,
                uses_least_bad=options.all_bad == "least",
                tells_good=self.prepared.tells_good,
                quality_temperature=self.prepared.model.temperature if self.prepared.model else 1.0,
                leaves_doubtful=self.prepared.tells_good and options.all_bad == "nodata",
                feather_px=options.feather_px,
            )
            size = window_size(fusion, workers=options.workers, memory_limit=options.memory_limit_mb * MAP_BYTES)
            writers = stack.enter_context(FuseWriters(self.folder, grid, plan))
            n_done = 0
            for piece in fused_pieces(fusion, size=size, workers=options.workers):
                totals.nudged += writers.write(piece)
                totals.add(piece)
                preview.add(piece)
                n_done += piece.source.size
                self.progress("fuse", n_done / grid.n_pixels)
            writers.tag({"FUSION_METHOD": self.prepared.method, "FUSION_IMAGES": str(len(images))})
        return totals, preview, size

    def _cost(self, grid: Grid, n_images: int, window: int) -> dict[str, object]:
        seconds = self.watch.seconds
        return {
            "seconds": round(seconds, 3),
            "seconds_per_mpx": seconds / (grid.n_pixels * n_images / 1e6),
            "peak_memory_mb": peak_memory_mb(),
            "window": window,
            "stages": {name: round(value, 3) for name, value in self.watch.stages.items()},
        }
