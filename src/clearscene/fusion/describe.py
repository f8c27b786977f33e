"""What the record of a fusion says of the images and the result."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rasterio.crs import CRS

from clearscene import __version__
from clearscene.fusion.image import FuseImage
from clearscene.fusion.lying import whole_offset
from clearscene.fusion.members import Setting
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.outputs import Plan, Totals
from clearscene.fusion.plan import Prepared, applied, listed, shift_warnings
from clearscene.fusion.result import Cost, FuseReport, ImageRecord, ShiftRecord, ToneRecord
from clearscene.fusion.shifting import Shift
from clearscene.fusion.tone import ToneLine
from clearscene.masking.inputs import absolute

__all__ = ["Outcome", "describe_run"]

DOUBT_PERCENT = 1.0
"""Of the result without a good image, from which on it is warned of: some roofs, snow and surf are always doubted."""
Tones = Mapping[str, tuple[ToneLine, ...] | None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was found on the way."""

    totals: Totals
    reference: int
    """Place of the reference among the images."""
    shifts: Mapping[str, Shift | None]
    tones: Tones


def describe_run(
    prepared: Prepared,
    images: Sequence[FuseImage],
    *,
    setting: Setting,
    plan: Plan,
    outcome: Outcome,
    notes: Sequence[str],
) -> FuseReport:
    """The record, without what the run cost; `notes` go before our own."""
    totals, reference, shifts, tones = outcome.totals, outcome.reference, outcome.shifts, outcome.tones
    grid, options = setting.grid, prepared.options
    model = prepared.model.model.manifest if prepared.model else None
    records = [
        _image(place, image, setting, totals=totals, reference=reference, shift=shifts.get(image.path), tones=tones)
        for place, image in enumerate(images)
    ]
    return FuseReport(
        clearscene_version=__version__,
        created=datetime.now(UTC),
        name=plan.stem,
        method=prepared.method,
        model=f"{model.name} {model.version}" if model else None,
        options=options.record(),
        height=grid.height,
        width=grid.width,
        crs=_name(grid.crs),
        transform=tuple(grid.transform)[:6],
        bands=list(plan.bands),
        dtype=plan.dtype,
        nodata="nan" if plan.nodata is not None and math.isnan(plan.nodata) else plan.nodata,
        images=records,
        filled_percent=_percent(totals.filled, grid.n_pixels),
        unseen_percent=_percent(totals.unseen, grid.n_pixels),
        all_masked_percent=_percent(totals.all_masked, grid.n_pixels),
        all_doubtful_percent=_percent(totals.all_doubtful, grid.n_pixels),
        nudged_pixels=totals.nudged,
        notes=[*prepared.notes, *notes, *_notes(prepared, images, totals), *_place_notes(images, shifts, options)],
        warnings=[
            *_empty_warnings(images, totals),
            *_doubt_warnings(prepared, totals, grid.n_pixels),
            *prepared.warnings,
            *shift_warnings(images, shifts, options),
            *_tone_warnings(images, tones),
        ],
        cost=Cost(seconds=0, seconds_per_mpx=0, peak_memory_mb=None, workers=options.workers, window=0),
        files={**plan.files, "page": f"{plan.stem}.html", "report": f"{plan.stem}.json"},
    )


def _image(
    place: int,
    image: FuseImage,
    setting: Setting,
    *,
    totals: Totals,
    reference: int,
    shift: Shift | None,
    tones: Tones,
) -> ImageRecord:
    n_pixels, options = setting.grid.n_pixels, setting.options
    moves = bool(applied({image.path: shift}, options))
    lines = tones.get(image.path)
    mask = setting.masks.get(image.path)
    return ImageRecord(
        number=place + 1,
        name=image.name,
        path=absolute(image.path),
        date=image.date,
        crs=_name(image.grid.crs),
        is_resampled=moves or any(whole_offset(part.grid, setting.grid) is None for part in image.parts),
        is_reference=place == reference,
        mask=None if mask is None else "auto" if options.masks == ("auto",) else absolute(mask),
        valid_percent=_percent(int(totals.valid[place]), n_pixels),
        good_percent=_percent(int(totals.good[place]), n_pixels),
        won_percent=_percent(int(totals.won[place]), totals.filled),
        share_percent=_percent(float(totals.share[place]), totals.filled),
        shift=None
        if shift is None
        else ShiftRecord(row=shift.row, col=shift.col, windows=shift.n_windows, is_applied=moves),
        tone=None
        if lines is None
        else [
            ToneRecord(band=band, gain=line.gain, offset=line.offset)
            for band, line in zip(setting.bands, lines, strict=True)
        ],
        notes=list(image.notes),
    )


def _notes(prepared: Prepared, images: Sequence[FuseImage], totals: Totals) -> list[str]:
    notes = []
    if len(images) == 1:
        notes.append("There is one image only: the result is that image on the grid.")
    if len(images) == 2 and prepared.method == "medoid":
        notes.append("The medoid of two images is always the first; use --masks, or another --method.")
    if prepared.method == "first" and not all(image.date for image in images):
        notes.append("Images without a date come last, by name.")
    if totals.nudged:
        notes.append(
            f"{totals.nudged} pixels were moved by one level, because their value means nodata in the result. If they"
            " have none in the images, either, --nodata says so."
        )
    if prepared.model is None and not prepared.options.masks and len(images) > 1:
        notes.append("Clouds count as good: there are no masks and no quality model. --masks auto masks them.")
    if prepared.options.dates and not any(image.date for image in images):
        notes.append("No image has a date, in its metadata or its name: the file of dates is empty.")
    if totals.all_masked:
        what = "filled with the least bad images" if prepared.options.all_bad == "least" else "left without data"
        notes.append(f"Where every image is masked the result is {what}; the count is 0 there.")
    return notes


def _place_notes(images: Sequence[FuseImage], shifts: Mapping[str, Shift | None], options: FuseOptions) -> list[str]:
    unknown = [image.name for image in images if shifts.get(image.path) is None]
    if options.align or not unknown:
        return []
    return [
        f"{listed(unknown)}: whether they lie beside the reference cannot be told, for want of clear ground in common."
    ]


def _empty_warnings(images: Sequence[FuseImage], totals: Totals) -> list[str]:
    """What to say where there is nothing: in the whole result, or of single images."""
    if totals.filled:
        empty = [image.name for image, n_valid in zip(images, totals.valid, strict=True) if not n_valid]
        return [f"{listed(empty)}: no data on the grid of the result, so nothing is taken."] if empty else []
    if totals.all_masked:
        why = "every image is masked everywhere; --all-bad least fills it all the same"
    elif totals.all_doubtful:
        why = "every image is bad everywhere by its quality; --all-bad least fills it all the same"
    else:
        why = "no image has data there; look at --bounds and --like"
    return [f"The result is empty: {why}."]


def _doubt_warnings(prepared: Prepared, totals: Totals, n_pixels: int) -> list[str]:
    """What to say where the quality model finds no good image."""
    share = _percent(totals.all_doubtful, n_pixels)
    if share < DOUBT_PERCENT or not totals.filled:
        return []
    where = f"In {share:.1f} % of the result every image is more likely bad than good by its quality"
    if prepared.options.all_bad == "nodata":
        return [f"{where}: it has no data there; --all-bad least takes the least bad one."]
    return [
        f"{where}: the least bad ones are taken, and the count is 0 there; --all-bad nodata leaves it without data."
    ]


def _tone_warnings(images: Sequence[FuseImage], tones: Tones) -> list[str]:
    names = [image.name for image in images if image.path in tones and tones[image.path] is None]
    if not names:
        return []
    return [
        f"{', '.join(names)}: the tone is kept, because no line fits: too little ground is clear in both the image and"
        " the reference."
    ]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 4) if whole else 0.0


def _name(crs: CRS | None) -> str | None:
    if crs is None:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())
