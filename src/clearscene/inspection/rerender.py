"""Draw the report of a run again, after its findings or its score have changed."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError, SceneError
from clearscene.inspection.pdf import write_pdf
from clearscene.inspection.quicklook import Pictures, make_pictures
from clearscene.inspection.report import write_json, write_report
from clearscene.inspection.result import Report
from clearscene.inspection.run_folder import open_run
from clearscene.raster.scene import open_scene
from clearscene.raster.stretch import Stretch

__all__ = ["rerender"]

logger = logging.getLogger(__name__)


def rerender(run: str | Path) -> Path:
    """Write `report.html` of a run anew from its `report.json` and its polygons; returns its path.

    The pictures come from the scene, stretched as it was. If the scene is gone, or is not the one
    that was inspected, the report is written without pictures and a warning is logged. A run with
    `report.pdf` gets it anew too; where nothing can print it any more, the old one, which would
    contradict the new score, is removed, from the record as well, and a warning is logged.
    """
    held = open_run(run)
    report = held.report
    geometries = {int(str(row.values["id"])): row.polygon for row in held.rows()}
    try:
        pictures = _pictures(report, geometries)
    except ClearsceneError as error:
        logger.warning("The report has no pictures: %s", error)
        pictures = Pictures()
    page = write_report(report, held.folder, pictures=pictures, lang=report.lang)
    if "pdf" in report.files and not _print(page, held.folder / report.files["pdf"]):
        files = {name: file for name, file in report.files.items() if name != "pdf"}
        report = report.model_copy(update={"files": files})
        write_report(report, held.folder, pictures=pictures, lang=report.lang)
        write_json(report, held.folder)
    return page


def _print(page: Path, pdf: Path) -> bool:
    """Print a report, or remove the PDF and say so; whether it was printed."""
    try:
        write_pdf(page, pdf)
    except ClearsceneError as error:
        pdf.unlink(missing_ok=True)
        logger.warning("%s is out of date and was removed: %s %s", pdf.name, error.message, error.hint)
        return False
    return True


def _pictures(report: Report, geometries: dict[int, BaseGeometry]) -> Pictures:
    info = report.scene
    with open_scene(info.path, info.bands if "red" in info.bands else None) as scene:
        if (scene.grid.height, scene.grid.width) != (info.height, info.width):
            raise SceneError(
                f"{info.path} is now {scene.grid.width} x {scene.grid.height} px, and was {info.width} x {info.height}."
            )
        stretch = _stretch_of(report)

        def read_rgb(window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
            pixels, _ = scene.read_safely(window, out_shape=out_shape)
            return stretch.apply(pixels.data, pixels.valid)

        return make_pictures(report, geometries, read_rgb)


def _stretch_of(report: Report) -> Stretch:
    """The stretch that the report records."""
    record = report.scene.stretch
    low, high = float(record.get("low", 0)), float(record.get("high", 255))
    return Stretch(str(record.get("method", "none")), low, high, report.scene.dtype)
