"""The page of a fusion: images, their quality, their shares and the result, in one file that needs nothing else."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from clearscene.atomic import replacing
from clearscene.fusion.preview import Preview
from clearscene.fusion.result import FuseReport, ImageRecord
from clearscene.fusion.shifting import told
from clearscene.inspection.report import data_uri

__all__ = ["write_page"]

FOLDER = Path(__file__).parent / "templates"
STYLES = Path(__file__).parents[1] / "inspection" / "templates"


@dataclass(frozen=True)
class _Card:
    record: ImageRecord
    picture: str
    """Data URI."""
    share: str
    """Data URI."""
    quality: str | None
    """Data URI; None without a model that tells good from bad."""


def write_page(report: FuseReport, preview: Preview, path: Path) -> None:
    """Write the page, whole or not at all. It fetches nothing; text from the record is escaped.

    Raises:
        OutputError: It cannot be written.
    """
    cards = [_card(preview, place, record) for place, record in enumerate(report.images)]
    scores = [record.score for record in report.images if record.score is not None]
    text = _template().render(
        report=report,
        cards=cards,
        result=data_uri(preview.result()),
        scores=scores,
        has_quality=any(card.quality for card in cards),
        told=told,
    )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _card(preview: Preview, place: int, record: ImageRecord) -> _Card:
    quality = preview.quality(place)
    shown = data_uri(preview.image(place)), data_uri(preview.share(place))
    return _Card(record, *shown, None if quality is None else data_uri(quality))


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader([FOLDER, STYLES]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("fuse.html.j2")
