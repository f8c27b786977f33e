"""The inspection of one scene, from raster to report, in the order a pixel travels."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from clearscene import __version__
from clearscene.errors import ClearsceneError, OutputError
from clearscene.inspection.charging import Extent, Rest
from clearscene.inspection.clean import Regions, clean, without_lost
from clearscene.inspection.describe import (
    count_pixels,
    describe_rule,
    describe_unreadable,
    types_left_out,
    unreadable_scene,
)
from clearscene.inspection.detect import Detection, detect, fitting_workers
from clearscene.inspection.findings import Drawn, list_findings, undrawn_centers
from clearscene.inspection.inspector import Inspector, Lookers
from clearscene.inspection.learned import Learned, detect_by_model
from clearscene.inspection.outputs import write_class_map, write_class_style, write_confidence, write_polygons
from clearscene.inspection.pdf import write_pdf
from clearscene.inspection.quicklook import Pictures, make_pictures
from clearscene.inspection.report import write_json, write_report
from clearscene.inspection.result import Detector, Report, Timing
from clearscene.inspection.run_folder import STANDARD_NAME, remember_shapes
from clearscene.inspection.satellite import add_clouds, doubt_shadows
from clearscene.inspection.scoring import judge_readability, score_findings, type_penalties
from clearscene.inspection.seams import SceneSearch, searches_for
from clearscene.inspection.standard import standard_text
from clearscene.inspection.summary import summarize
from clearscene.inspection.taxonomy import BY_ID, BY_NAME, Group
from clearscene.inspection.units import Unit, count_inspected, parse_units, rest_by_unit, score_units, units_of_centers
from clearscene.inspection.viewer import SceneViewer
from clearscene.raster.scene import Scene, open_scene
from clearscene.runs import Runs
from clearscene.timing import Stopwatch, peak_memory_mb
from clearscene.vector.aoi import Areas, load_areas

__all__ = ["Progress", "inspect_scene", "silent"]

Progress = Callable[[str, float], None]
"""Called with the name of the stage and how much of it is done, 0 to 1."""


def silent(stage: str, share: float) -> None:
    """Progress for those who do not watch."""


def inspect_scene(path: str | Path, folder: Path, inspector: Inspector, *, progress: Progress = silent) -> Report:
    """Inspect one scene and leave everything in `folder`, which appears only when all of it is done.

    Memory: some windows in each of `workers` threads, and the runs of what was found.

    Raises:
        ClearsceneError: The scene cannot be read, an option does not fit it, or the result cannot be written.
    """
    with _complete_folder(folder) as work, open_scene(path, inspector.options.bands) as scene:
        job = _Job(scene, inspector, work, progress, Stopwatch())
        return job.run()


@dataclass
class _Job:
    """One scene on its way through the stages."""

    scene: Scene
    inspector: Inspector
    folder: Path
    progress: Progress
    watch: Stopwatch

    @cached_property
    def lookers(self) -> Lookers:
        """Who looks at the scene."""
        return Lookers(self.scene, self.inspector)

    @cached_property
    def searches(self) -> tuple[SceneSearch, ...]:
        """The searches for seams."""
        return searches_for(self.lookers.seam_rules, self.scene.grid, n_bands=len(self.lookers.shown_bands))

    def run(self) -> Report:
        """All stages; the report is that of `report.json`."""
        options = self.inspector.options
        with self._stage("scan"):
            units = parse_units(options.units, self.scene.grid) if options.units else []
            viewer = SceneViewer(
                self.scene,
                aoi=self._areas(options.aoi),
                ignore=self._areas(options.ignore),
                reflectance=options.reflectance,
            )
        with self._stage("detect"):
            detection = detect(
                viewer,
                list(self.inspector.rules.values()),
                workers=fitting_workers(options.workers, options.memory_limit_mb),
                progress=lambda share: self.progress("detect", share),
                gatherers=self.searches,
            )
        if detection.unreadable and detection.inspected.area == 0:
            raise unreadable_scene(str(self.scene.path), detection.unreadable[0][1])
        if not self._detectors():  # a gray scene and a color model: nobody looked, so nothing is clean
            detection = replace(detection, inspected=Runs.empty(), inspected_m2=0.0)
        with self._stage("seams"):
            workers = fitting_workers(options.workers, options.memory_limit_mb)
            seams = {BY_NAME[s.type_name].id: s.find(viewer, workers=workers) for s in self.searches}
        learned = self._learn(viewer, detection.inspected)
        with self._stage("polygons"):
            regions = self._regions(detection, seams, learned)
            drawn, rest = self._draw(regions, detection, learned)
            report = self._report(viewer, detection, learned, drawn, rest)
            report = self._score_units(report, detection, regions, drawn=drawn, units=units)
        with self._stage("write"):
            report = self._write_data(report, detection, regions, drawn=drawn, units=units)
        with self._stage("report"):
            pictures = self._picture(report, viewer, drawn)
        return self._write_report(report, pictures)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.progress(name, 0.0)
        with self.watch.stage(name):
            yield

    def _areas(self, path: Path | None) -> Areas | None:
        return None if path is None else load_areas(path, self.scene.grid)

    def _detectors(self) -> dict[int, str]:
        """Who finds each type in this scene, by type id; a type that is not in it is not inspected."""
        rules = {BY_NAME[name].id: f"rule:{name}" for name in self.inspector.rules}
        return rules | {BY_NAME[s.type_name].id: s.detector for s in self.searches} | self.lookers.by_model

    def _learn(self, viewer: SceneViewer, inspected: Runs) -> Learned:
        """What models find; nothing where there is none, or nothing they could find is wanted."""
        learned, model, witness = Learned({}, []), self.lookers.model, self.lookers.witness
        if model is not None:
            with self._stage("model"):
                learned = detect_by_model(
                    viewer, model, self.inspector.options, progress=lambda share: self.progress("model", share)
                )
        doubter = self.lookers.doubter
        if doubter is not None:
            with self._stage("clouds"):
                learned = doubt_shadows(learned, doubter, viewer, progress=lambda share: self.progress("clouds", share))
        if witness is not None:
            with self._stage("clouds"):
                learned = add_clouds(
                    learned,
                    witness,
                    viewer,
                    inside=inspected,
                    progress=lambda share: self.progress("clouds", share),
                )
        return learned

    def _regions(self, detection: Detection, seams: Mapping[int, Runs], learned: Learned) -> dict[int, Regions]:
        """Clean the mask of every type; see `clean`. What the model takes for something else may be lost pixels."""
        inside = detection.inspected
        found = {BY_NAME[name].id: runs for name, runs in detection.found.items()}
        found |= {type_id: runs.intersection(inside) for type_id, runs in seams.items()}
        regions = {type_id: self._cleaned(type_id, runs, inside) for type_id, runs in found.items()}
        missing = regions.get(BY_NAME["missing"].id)
        lost = Runs.empty() if missing is None else missing.detected
        for type_id, runs in learned.found.items():
            whole = runs.intersection(inside)
            seen = whole if BY_ID[type_id].group is Group.PIXEL else without_lost(whole, lost)
            regions[type_id] = self._cleaned(type_id, seen, inside)
        return regions

    def _cleaned(self, type_id: int, runs: Runs, inside: Runs) -> Regions:
        grid, kind, rules = self.scene.grid, BY_ID[type_id], self.inspector.rules
        return clean(
            runs,
            self.inspector.standard.cleaning(kind, valid=inside.area, grid=grid),
            inside=inside,
            grid=grid,
            accept=rules[kind.name].accept if kind.name in rules else None,
        )

    def _draw(
        self, regions: Mapping[int, Regions], detection: Detection, learned: Learned
    ) -> tuple[list[Drawn], dict[str, Rest]]:
        return list_findings(
            regions,
            {**self._detectors(), **learned.found_by},
            grid=self.scene.grid,
            inspected=detection.inspected.area,
            max_drawn=self.inspector.options.max_drawn,
        )

    def _report(
        self,
        viewer: SceneViewer,
        detection: Detection,
        learned: Learned,
        drawn: list[Drawn],
        rest: Mapping[str, Rest],
    ) -> Report:
        pixels, standard = count_pixels(detection, self.scene.grid), self.inspector.standard
        extent = Extent(pixels.inspected, pixels.inspected_m2)
        found = [d.finding for d in drawn]
        findings, score = score_findings(
            found, standard, inspected_px=extent.pixels, inspected_m2=extent.square_meters, rest=rest
        )
        penalties = type_penalties(
            found, standard, inspected_px=extent.pixels, inspected_m2=extent.square_meters, rest=rest
        )
        return Report(
            clearscene_version=__version__,
            created=datetime.now(UTC),
            scene=self.lookers.described(viewer),
            pixels=pixels,
            lang=self.inspector.options.lang,
            options=self.inspector.options.record(),
            score=judge_readability(score, pixels),
            types=summarize(
                findings,
                penalties=penalties,
                rest=rest,
                not_inspected=types_left_out(
                    self.inspector.options.types,
                    self._detectors(),
                    needs_bands=self.lookers.lacking_bands,
                    silent=self.lookers.silent,
                    too_small={rule.name: rule.shortest for rule in self.lookers.seam_rules},
                ),
                inspected=extent,
            ),
            findings=findings,
            detectors=self._describe_detectors(learned),
            not_inspected=[describe_unreadable(window, reason) for window, reason in detection.unreadable],
            timing=Timing(seconds=0, seconds_per_mpx=0, peak_memory_mb=0, workers=1),
        )

    def _describe_detectors(self, learned: Learned) -> list[Detector]:
        detectors = [describe_rule(rule) for rule in self.inspector.rules.values()]
        return [*detectors, *(search.describe() for search in self.searches), *learned.detectors]

    def _score_units(
        self,
        report: Report,
        detection: Detection,
        regions: Mapping[int, Regions],
        *,
        drawn: list[Drawn],
        units: list[Unit],
    ) -> Report:
        """Name the unit of each finding, and score the units."""
        if not units:
            return report
        geometries, grid = [d.geometry for d in drawn], self.scene.grid
        names = units_of_centers(geometries, units)
        named = [f.model_copy(update={"unit": name}) for f, name in zip(report.findings, names, strict=True)]
        scores = score_units(
            named,
            geometries,
            units,
            standard=self.inspector.standard,
            inspected_px=count_inspected(detection.inspected, units, grid),
            grid=grid,
            rest=rest_by_unit(undrawn_centers(regions, max_drawn=self.inspector.options.max_drawn), units),
        )
        return report.model_copy(update={"findings": named, "units": scores})

    def _write_data(
        self,
        report: Report,
        detection: Detection,
        regions: Mapping[int, Regions],
        *,
        drawn: list[Drawn],
        units: list[Unit],
    ) -> Report:
        grid, options = self.scene.grid, self.inspector.options
        write_class_map(self.folder / "classmap.tif", grid, regions, detection.inspected)
        files = write_polygons(self.folder, report, drawn, units=units, grid=grid, options=options)
        remember_shapes(self.folder / "defects.gpkg")
        (self.folder / STANDARD_NAME).write_text(standard_text(options.standard), encoding="utf-8")
        write_class_style(self.folder / "classmap.qml")
        files |= {"classmap": "classmap.tif", "standard": STANDARD_NAME}
        if options.confidence and regions:
            write_confidence(self.folder / "confidence.tif", grid, regions)
            files["confidence"] = "confidence.tif"
        return report.model_copy(update={"files": files})

    def _picture(self, report: Report, viewer: SceneViewer, drawn: list[Drawn]) -> Pictures:
        geometries = {d.finding.id: d.geometry for d in drawn}
        return make_pictures(report, geometries, viewer.read_rgb, limit=self.inspector.options.max_crops)

    def _write_report(self, report: Report, pictures: Pictures) -> Report:
        options = self.inspector.options
        files = {**report.files, "html": "report.html", "json": "report.json"}
        files |= {"pdf": "report.pdf"} if options.pdf else {}
        report = report.model_copy(update={"files": files, "timing": self._timing()})
        html = write_report(report, self.folder, pictures=pictures, lang=options.lang)
        if options.pdf:
            write_pdf(html, self.folder / "report.pdf")
        write_json(report, self.folder)
        return report

    def _timing(self) -> Timing:
        seconds = self.watch.seconds
        return Timing(
            seconds=seconds,
            seconds_per_mpx=seconds / (self.scene.grid.n_pixels / 1e6),
            peak_memory_mb=peak_memory_mb(),
            workers=self.inspector.options.workers,
            stages={name: round(value, 3) for name, value in self.watch.stages.items()},
        )


@contextmanager
def _complete_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to work in, which takes its place at the end; on any error it is removed.

    Law: `folder` is either as it was before, or holds a complete result.
    """
    token = uuid4().hex[:8]
    work, old = (folder.with_name(f".{folder.name}.{token}.{end}") for end in ("part", "old"))
    try:
        work.mkdir(parents=True)
        yield work
        if folder.exists():
            folder.replace(old)
        work.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if isinstance(error, ClearsceneError):
            raise
        raise OutputError(
            f"The result cannot be written to {folder}: {error.strerror or error}.",
            hint="Choose a folder that can be written to with --out, or free some space.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
