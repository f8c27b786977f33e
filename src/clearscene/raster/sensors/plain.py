"""Any raster as reflectance: by a scale that the user or the file gives, or as display color."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clearscene.errors import OptionError
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.sensors.product import Band, Kind, Product, Source
from clearscene.raster.stretch import reflectance_line

__all__ = ["describe", "display_scale"]


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
        OptionError: `nodata` of a palette, or `kind` is display and nobody knows which of the values is white.
    """
    with open_scene(path, bands, needs_color=needs_color) as scene:
        if nodata is not None and scene.color_table is not None:
            raise OptionError(
                f"{path} is a palette, of which colors are read and no stored values, as --nodata {nodata:g} is one.",
                hint="Leave it out; the color of that value can be made transparent, or the raster turned into RGB.",
            )
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


def display_scale(dtype: str, path: str) -> float:
    """What makes 1 of the white of display color: floats are by 1 already, 8 bits by 255.

    Raises:
        OptionError: Other whole numbers do not say how many of their bits count.
    """
    if np.dtype(dtype).kind == "f":
        return 1.0
    if dtype != "uint8":
        raise OptionError(
            f"{path} holds {dtype}, of which nobody knows the white that --kind display needs.",
            hint="Name it by --scale (in Python scale=), as 0.000488 for 11 bits (1/2047).",
        )
    return 1 / 255


def _line(scene: Scene, scale: float | None, offset: float | None, kind: Kind | None) -> tuple[float, float, Kind, str]:
    """Scale, offset, what the values then are, and a note."""
    if scale is not None or offset is not None:
        return 1.0 if scale is None else scale, 0.0 if offset is None else offset, "toa", ""
    if kind == "display":
        return display_scale(scene.dtype, scene.path), 0.0, "display", ""
    line = reflectance_line(scene)
    if line is not None:
        return *line, "toa", f"Reflectance is value * {line[0]:g} + {line[1]:g}, by the file's metadata."
    if scene.dtype == "uint8":
        taken = "display color, not as reflectance" if kind is None else "reflectance, white as 1"
        return 1 / scene.white, 0.0, "display", f"8-bit values are taken as {taken}."
    return 1.0, 0.0, "toa", ""
