"""The report of one scene: `report.html`, one file that needs nothing else, and `report.json`."""

import base64
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clearscene.atomic import replacing
from clearscene.errors import OutputError
from clearscene.inspection.drawing import Image
from clearscene.inspection.quicklook import Pictures, ScaleBar
from clearscene.inspection.report_page import Page, is_empty, place
from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Finding, Report
from clearscene.inspection.taxonomy import BY_NAME

__all__ = ["HTML_NAME", "JSON_NAME", "data_uri", "render", "write_json", "write_report"]

HTML_NAME = "report.html"
JSON_NAME = "report.json"
JPEG_QUALITY = 88
UNKNOWN_COLOR = "#888888"


@dataclass(frozen=True)
class _Card:
    """A finding with its picture."""

    finding: Finding
    picture: str
    """Data URI."""
    scale: ScaleBar | None
    place: str
    """Map coordinates; empty without."""

    @property
    def row(self) -> int:
        """Row of the middle of its bounds."""
        return (self.finding.bounds_px[1] + self.finding.bounds_px[3]) // 2

    @property
    def col(self) -> int:
        """Column of the middle of its bounds."""
        return (self.finding.bounds_px[0] + self.finding.bounds_px[2]) // 2


def write_report(
    report: Report, folder: Path, *, pictures: Pictures, lang: str = "en", is_signature_broken: bool = False
) -> Path:
    """Write `folder/report.html`, whole or not at all, and return its path.

    The file fetches nothing: images are data URIs and the style is inside. Text from the record is
    escaped, whatever it holds. A signature is shown, and `is_signature_broken` says that it covers other findings.

    Raises:
        OptionError: `lang` is unknown.
        OutputError: The file cannot be written.
    """
    texts = Texts(lang)
    by_id = {finding.id: finding for finding in report.findings}
    pictured = [f for number in pictures.crops if (f := by_id.get(number))]
    page = Page.of(report, texts, pictured=pictured)
    cards = [
        _Card(
            by_id[number],
            data_uri(image),
            pictures.crop_scales.get(number),
            place(by_id[number], is_geographic=page.is_geographic),
        )
        for number, image in pictures.crops.items()
        if number in by_id
    ]
    html = render(
        "report.html.j2",
        {
            "t": texts,
            "report": report,
            "page": page,
            "pictures": pictures,
            "quicklook": None if pictures.quicklook is None else data_uri(pictures.quicklook),
            "cards": cards,
            "version": report.clearscene_version,
            "created": report.created,
            "is_signature_broken": is_signature_broken,
        },
    )
    return _write(folder / HTML_NAME, html)


def write_json(report: Report, folder: Path) -> Path:
    """Write `folder/report.json`, whole or not at all, and return its path.

    Law: `Report.model_validate_json` of the file equals `report`.
    """
    return _write(folder / JSON_NAME, report.model_dump_json(indent=2) + "\n")


def render(template: str, values: dict[str, object]) -> str:
    """Fill a template of this package; all values are escaped and unknown names are errors."""
    return _environment().get_template(template).render(values)


def data_uri(image: Image) -> str:
    """An RGB uint8 picture as a JPEG inside a `data:` address."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    done, encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), options)
    if not done:
        raise OutputError(f"A picture of {image.shape[1]} x {image.shape[0]} px cannot be written as JPEG.")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _write(path: Path, text: str) -> Path:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["color"] = lambda name: BY_NAME[name].color if name in BY_NAME else UNKNOWN_COLOR
    environment.globals["is_empty"] = is_empty
    environment.globals["group"] = lambda name: BY_NAME[name].group.value if name in BY_NAME else ""
    return environment
