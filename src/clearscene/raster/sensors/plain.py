"""Any raster as reflectance: by a scale that the user or the file gives, or as display color."""

from collections.abc import Mapping
from pathlib import Path

from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.sensors.product import Band, Kind, Product, Source
from clearscene.raster.stretch import reflectance_line

__all__ = ["describe"]


def describe(
    path: str | Path,
    *,
    bands: Mapping[str, int] | None,
    scale: float | None,
    offset: float | None,
    nodata: float | None = None,
    kind: Kind | None = None,
    needs_color: bool = True,
) -> Product:
    """Understand a raster: bands by name, and how its values become reflectance.

    `scale` and `offset` go before what the file's metadata say. An 8-bit raster without either
    is display color, its values by full white, and so is any raster of that `kind`, of floats as they are. Other values
    count as reflectance as they are, at the top of the atmosphere unless `kind` says otherwise. `nodata` is the stored
    value of pixels without data in all bands, beside those that the file tells.

    Raises:
        SceneError, BandError: As `open_scene`.
    """
    with open_scene(path, bands, needs_color=needs_color) as scene:
        factor, shift, found, note = _line(scene, scale, offset, kind)
        return Product(
            path=str(path),
            name=scene.name,
            sensor="raster",
            kind=kind or found,
            bands=tuple(Band(name, (Source(str(path), name),), factor, shift, nodata) for name in scene.bands),
            notes=[*scene.notes, *([note] if note else [])],
            mixes_nodata=nodata is not None,
            is_self_named=True,
            given=dict(bands) if bands else None,
        )


def _line(scene: Scene, scale: float | None, offset: float | None, kind: Kind | None) -> tuple[float, float, Kind, str]:
    """Scale, offset, what the values then are, and a note."""
    if scale is not None or offset is not None:
        return 1.0 if scale is None else scale, 0.0 if offset is None else offset, "toa", ""
    if kind == "display":
        return 1.0 if scene.dtype.startswith("float") else 1 / scene.white, 0.0, "display", ""
    line = reflectance_line(scene)
    if line is not None:
        return *line, "toa", f"Reflectance is value * {line[0]:g} + {line[1]:g}, by the file's metadata."
    if scene.dtype == "uint8":
        taken = "display color, not as reflectance" if kind is None else "reflectance, white as 1"
        return 1 / scene.white, 0.0, "display", f"8-bit values are taken as {taken}."
    return 1.0, 0.0, "toa", ""
