"""`card.md`: what a person should know about a model before using it, from records and measurements only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clearscene.models.manifest import Manifest
from clearscene.training.export.calibration import EVEN_ODDS
from clearscene.training.export.measured import Measured
from clearscene.training.export.settings import ExportSettings

__all__ = ["card_text"]

WEAK = 0.5
"""IoU below which a class is listed among the known failures."""


def card_text(manifest: Manifest, measured: Measured, *, settings: ExportSettings, record: Mapping[str, Any]) -> str:
    """The card as Markdown; `record` is what the training wrote down about itself.

    Law: every number comes from the arguments; what was not measured is said to be so.
    """
    parts = [
        f"# {manifest.name} {manifest.version}\n\n{manifest.description or 'Finds defects in overhead images.'}",
        _section("What it is", _table(["", ""], _facts(manifest, measured))),
        _section("Data", _data(manifest)),
        _section("Training", _table(["key", "value"], list(_flat(record))) if record else "Not recorded."),
        _section("How it was measured", _protocol(measured, settings)),
        _section("Measured: pixels", _pixels(measured)),
        _section("Measured: screening", _screen(measured)),
        _section("Calibration", _calibration(measured)),
        _section("Export", _export(measured)),
        _section("Known failures", _failures(measured, settings)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _facts(manifest: Manifest, measured: Measured) -> list[list[str]]:
    spec, tiles, distance = manifest.input, manifest.tiles, manifest.input.ground_sample_distance_m
    reductions = ", ".join(f"1:{reduction}" for reduction in sorted(tiles.reductions))
    return [
        ["License of the weights", manifest.license],
        ["Task", manifest.task],
        ["Bands", ", ".join(spec.bands)],
        ["Pixels", "any size" if distance is None else f"{distance[0]:g} to {distance[1]:g} m"],
        ["Tiles", f"{tiles.tile_size} px, scales {reductions}"],
        ["Segments", ", ".join(entry.name for entry in manifest.classes[1:]) or "nothing"],
        ["Screens for", ", ".join(manifest.screen.types) if manifest.screen else "nothing"],
        ["Parameters", f"{measured.n_parameters:,}"],
        ["Stored as", measured.precision],
        ["Size", ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in measured.sizes.items())],
    ]


def _data(manifest: Manifest) -> str:
    if not manifest.training_data:
        return "Not stated."
    rows = [[entry.name, entry.license, entry.url, entry.note] for entry in manifest.training_data]
    return _table(["data", "license", "address", "note"], rows)


def _protocol(measured: Measured, settings: ExportSettings) -> str:
    calibration = settings.calibration
    lines = [
        f"On {measured.scores.n_chips} chips of the validation split of the training's own data set, which is split "
        "by source scene. Temperatures and thresholds were chosen on the same chips, so these numbers are not those "
        "of an independent test.",
        "IoU is pooled over all pixels; the mean leaves the background out; what is absent is not counted.",
    ]
    if measured.screen is not None:
        lines.append(
            f"Screening thresholds are the highest with a recall of at least {calibration.recall:g}, and not above "
            f"{EVEN_ODDS:g}; for boundary types, "
            "where the flag is the finding, the lowest at which no more than "
            f"{calibration.boundary_false_alarms:g} of the tiles without them are flagged."
        )
    return "\n\n".join([settings.card.protocol, *lines] if settings.card.protocol else lines)


def _pixels(measured: Measured) -> str:
    scores, before = measured.scores, measured.float_scores
    if not scores.iou:
        return "Not measured: this model has no segmenter."
    columns = ["class", "IoU", "IoU with thresholds"] + (["IoU in float32"] if before else [])
    rows = []
    for name in scores.iou:
        row = [name, _number(scores.iou.get(name)), _number(scores.iou_with_thresholds.get(name))]
        rows.append([*row, _number(before.iou.get(name))] if before else row)
    last = ["mean without background", _number(scores.mean_iou), ""]
    return _table(columns, [*rows, [*last, _number(before.mean_iou)] if before else last])


def _screen(measured: Measured) -> str:
    scores, screen = measured.scores, measured.screen
    if screen is None:
        return "Not measured: this model has no screening head."
    columns = ["type", "tiles with it", "flagged from", "recall", "of drawn", "precision", "F1", "false alarms"]
    columns.append("F1 at 0.5")
    keys = [scores.threshold, scores.recall, scores.recall_of_drawn, scores.precision, scores.f1]
    keys += [scores.false_alarms, scores.f1_at_half]
    rows = [
        [name, str(scores.n_tiles[name]), *(_number(values.get(name)) for values in keys)] for name in scores.recall
    ]
    tiles = "each chip among three clean ones" if screen.is_surrounded else "each chip alone, reflected to the tile"
    before = measured.float_scores
    lost = f" In float32 it is {_number(before.macro_f1)}." if before else ""
    return (
        f"{_table(columns, rows)}\n\nTiles: {tiles}. Of drawn: recall among the tiles in which the segmenter draws a "
        "tenth of the type's pixels, if it is asked; what it does not draw is lost anyhow. False alarms are the share "
        "of the tiles without the type that are flagged for it. Of the tiles without any defect, "
        f"{_number(scores.clean_flagged)} are flagged for a type that is then segmented. "
        f"Macro-F1 at 0.5: {_number(scores.macro_f1)}.{lost}"
    )


def _calibration(measured: Measured) -> str:
    rows = [
        [name, f"{part.temperature:g}", f"{part.before.error:.4f}", f"{part.after.error:.4f}"]
        for name, part in (("screening", measured.screen), ("pixels", measured.pixels))
        if part is not None
    ]
    return _table(["head", "temperature", "calibration error before", "after"], rows)


def _export(measured: Measured) -> str:
    lines = ["Differences from the trained network, in logits, on real chips:"]
    lines += [f"- {runtime}: {parity.describe()}." for runtime, parity in measured.parity.items()]
    rows = [[runtime, file, f"{rate:.2f}"] for runtime, files in measured.speed.items() for file, rate in files.items()]
    rows += [
        [f"{runtime}, float32", file, f"{rate:.2f}"]
        for runtime, files in measured.float_speed.items()
        for file, rate in files.items()
    ]
    if rows:
        lines.append("\n" + _table(["runtime", "graph", "Mpx/s on the exporting machine"], rows))
    return "\n".join([lines[0], "", *lines[1:]])


def _failures(measured: Measured, settings: ExportSettings) -> str:
    lines = [f"- {text}" for text in settings.card.known_failures]
    weak = {name: value for name, value in measured.scores.iou.items() if value < WEAK and name != "background"}
    lines += [f"- {name}: IoU {value:.3f} on the validation split." for name, value in weak.items()]
    return "\n".join(lines) or "None recorded."


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Nested keys joined by dots; long values cut."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield [f"{prefix}{key}", f"{value}"[:200]]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        """One row of Markdown."""
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), "|" + "---|" * len(columns), *map(line, rows)])
