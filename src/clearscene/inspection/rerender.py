"""Draw the report of a run again, after its findings or its score have changed."""

import base64
import logging
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.errors import ClearsceneError, SceneError
from clearscene.inspection.batch import INDEX_NAME, collect, write_index
from clearscene.inspection.drawing import Image
from clearscene.inspection.pdf import write_pdf
from clearscene.inspection.quicklook import Pictures, make_pictures
from clearscene.inspection.report import HTML_NAME, write_json, write_report
from clearscene.inspection.result import Report, SceneInfo
from clearscene.inspection.run_folder import open_run
from clearscene.inspection.signature import signature_holds
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.stretch import Stretch

__all__ = ["check_scene", "open_inspected", "rerender", "rerender_index", "stretch_of"]

logger = logging.getLogger(__name__)

_QUICKLOOK = re.compile(rb'<img id="quicklook" src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')
_CROP = re.compile(rb'<article [^>]*id="f(\d+)">\s*<div class="crop"><img [^>]*?src="data:image/jpeg;base64,([^"]+)"')


def rerender(run: str | Path, *, before: Report | None = None, scene: str | Path | None = None) -> Path:
    """Write `report.html` of a run anew from its `report.json` and its polygons; returns its path.

    The pictures come from the scene, stretched as it was. If the scene is gone, or is not the one
    that was inspected, those of the old report are kept: the overview, and the crops of findings
    whose type and place are as `before`; a warning is logged. A run with `report.pdf` gets it anew
    too; where nothing can print it any more, the old one, which would contradict the new score, is
    removed, from the record as well, and a warning is logged.

    Args:
        run: A run folder, or the GeoPackage in it.
        before: The record that the old report shows; None if it is the present one.
        scene: Where the scene lies now; None takes the path in the record.
    """
    held = open_run(run)
    report = held.report
    geometries = {int(str(row.values["id"])): row.polygon for row in held.rows()}
    place = report.scene.path if scene is None else str(scene)
    try:
        pictures = _pictures(report, geometries, place)
    except ClearsceneError as error:
        pictures = _old_pictures(held.folder / HTML_NAME, report, geometries, before=before or report)
        what = "has no pictures" if pictures.quicklook is None else "keeps its old pictures, without new findings"
        hint = "If it has moved, name it with --scene."
        logger.warning("The report %s: the scene %s cannot be used: %s %s", what, place, error.message, hint)
    is_broken = signature_holds(held) is False
    page = write_report(report, held.folder, pictures=pictures, lang=report.lang, is_signature_broken=is_broken)
    if "pdf" in report.files and not _print(page, held.folder / report.files["pdf"]):
        files = {name: file for name, file in report.files.items() if name != "pdf"}
        report = report.model_copy(update={"files": files})
        write_report(report, held.folder, pictures=pictures, lang=report.lang, is_signature_broken=is_broken)
        write_json(report, held.folder)
    return page


def rerender_index(run: str | Path) -> Path | None:
    """Write the pages of the batch that a run is part of anew; None if its folder lies in no batch."""
    held = open_run(run)
    out = held.folder.resolve().parent
    return write_index(collect(out), out, lang=held.report.lang) if (out / INDEX_NAME).is_file() else None


def check_scene(run: str | Path, scene: str | Path) -> None:
    """Refuse a raster that cannot be the scene of a run.

    Raises:
        SceneError: It cannot be read, or has another size.
    """
    info = open_run(run).report.scene
    with open_inspected(info, str(scene)):
        pass


def _print(page: Path, pdf: Path) -> bool:
    """Print a report, or remove the PDF and say so; whether it was printed."""
    try:
        write_pdf(page, pdf)
    except ClearsceneError as error:
        pdf.unlink(missing_ok=True)
        logger.warning("%s is out of date and was removed: %s %s", pdf.name, error.message, error.hint)
        return False
    return True


def open_inspected(info: SceneInfo, path: str) -> Scene:
    """The scene of a record, as it lies at `path`, open.

    Raises:
        SceneError: It cannot be read, or has another size.
    """
    # The three colors of a palette are one band, which open_scene finds by itself.
    colors = {info.bands.get(name) for name in ("red", "green", "blue")} - {None}
    scene = open_scene(path, info.bands if len(colors) == 3 else None)
    grid = scene.grid
    if (grid.height, grid.width) != (info.height, info.width):
        scene.close()
        raise SceneError(
            f"{path} has {grid.width} x {grid.height} px, and the scene had {info.width} x {info.height}.",
            hint="Name the scene that was inspected.",
        )
    return scene


def _pictures(report: Report, geometries: dict[int, BaseGeometry], path: str) -> Pictures:
    with open_inspected(report.scene, path) as scene:
        stretch = stretch_of(report)

        def read_rgb(window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
            pixels, _ = scene.read_safely(window, out_shape=out_shape)
            return stretch.apply(pixels.data, pixels.valid)

        return make_pictures(report, geometries, read_rgb)


def _old_pictures(page: Path, report: Report, geometries: dict[int, BaseGeometry], *, before: Report) -> Pictures:
    """Overview and crops out of an old report, in the new order and with the new scale bars; none if it has none."""
    html = page.read_bytes() if page.is_file() else b""
    overview = _QUICKLOOK.search(html)
    if overview is None:
        return Pictures()
    then = {f.id: (f.type, f.bounds_px) for f in before.findings}
    same = {f.id for f in report.findings if then.get(f.id) == (f.type, f.bounds_px)}
    old = {int(found[1]): found[2] for found in _CROP.finditer(html)}
    blank = make_pictures(report, geometries, lambda _, shape: np.zeros((1, *shape), np.uint8))
    crops = {n: _decoded(old[n]) for n in blank.crops if n in old and n in same}
    return replace(blank, quicklook=_decoded(overview[1]), crops=crops)


def _decoded(text: bytes) -> Image:
    """An RGB picture out of the base64 text of a JPEG."""
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(picture, np.uint8)[..., ::-1]


def stretch_of(report: Report) -> Stretch:
    """The stretch that the report records."""
    record = report.scene.stretch
    low, high = float(record.get("low", 0)), float(record.get("high", 255))
    return Stretch(str(record.get("method", "none")), low, high, report.scene.dtype)
