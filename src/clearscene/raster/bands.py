"""Which band is red, which is alpha: bands by common name.

Common names are those of the STAC electro-optical extension. They come, in this order, from
`--bands`, band descriptions, band tags, color interpretation and central wavelengths; nothing is
guessed from values, and a band that nobody names is `band_4`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from clearscene.errors import BandError

__all__ = ["COLORS", "COMMON_NAMES", "Bands", "find_bands", "parse_bands"]

COLORS = ("red", "green", "blue")

WORDS = {
    "coastal": ("coastal", "coastal aerosol", "aerosol"),
    "blue": ("blue", "蓝"),
    "green": ("green", "绿"),
    "yellow": ("yellow", "黄"),
    "red": ("red", "红"),
    "rededge": ("rededge", "red edge", "vegetation red edge", "红边"),
    "rededge071": ("rededge071",),
    "rededge075": ("rededge075",),
    "rededge078": ("rededge078",),
    "nir": ("nir", "near infrared", "nearinfrared", "near ir", "nir1", "近红外"),
    "nir08": ("nir08", "narrow nir", "nir narrow"),
    "nir09": ("nir09", "water vapour", "water vapor"),
    "cirrus": ("cirrus",),
    "swir16": ("swir16", "swir1", "swir 1"),
    "swir22": ("swir22", "swir2", "swir 2"),
    "lwir": ("lwir", "tir", "thermal", "thermal infrared"),
    "lwir11": ("lwir11",),
    "lwir12": ("lwir12",),
    "pan": ("pan", "panchromatic", "全色"),
    "gray": ("gray", "grey"),
    "alpha": ("alpha",),
}
"""Words in a description that name a band."""

COMMON_NAMES = tuple(name for name in WORDS if name != "alpha")
"""Names that `--bands` takes."""

NAME_BY_WORD = {word: name for name, words in WORDS.items() for word in words}
ANY_WORD = re.compile(
    "|".join(
        re.escape(word) if not word.isascii() else rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])"
        for word in sorted(NAME_BY_WORD, key=len, reverse=True)
    )
)
LETTERS = {"r": "red", "g": "green", "b": "blue", "n": "nir"}
"""One-letter descriptions; they count only where the letter is all there is."""

INTERPRETED = {
    color: color.name
    for color in ColorInterp
    if color.name in {"red", "green", "blue", "alpha", "pan", "coastal", "rededge", "nir"}
}

WAVELENGTHS_NM = {"blue": (450, 480, 520), "green": (520, 560, 600), "red": (620, 655, 690), "nir": (760, 850, 900)}
"""Lower end, middle and upper end of the central wavelength; of several bands the one nearest to the middle."""


@dataclass(frozen=True)
class Bands:
    """Who is who among the bands of a scene."""

    names: dict[str, int]
    """Common name to 1-based band, every band but alpha; those without a name are `band_N`."""
    display: tuple[int, ...]
    """Red, green, blue, or one gray band; 1-based."""
    alpha: int | None
    """The band that says what is transparent."""
    is_palette: bool
    """True if the one display band holds indices of a color table."""
    notes: list[str]
    deciding: tuple[int, ...] = ()
    """Bands that say which pixels have data, where these are not those to show; 1-based."""


def parse_bands(text: str) -> dict[str, int]:
    """Read `red=1,green=2,blue=3`.

    Law: `parse_bands("nir=4, red=1") == {"nir": 4, "red": 1}`.

    Raises:
        BandError: Not of that form, an unknown name, a name twice, or a band below 1.
    """
    result: dict[str, int] = {}
    for item in text.split(","):
        word, _, number = (part.strip() for part in item.partition("="))
        name = _name_in(word)
        if name not in COMMON_NAMES or not number.isdecimal() or int(number) < 1:
            raise BandError(
                f"--bands {text!r}: {item.strip()!r} does not name a band.",
                hint=f"Write name=number, as in red=1,green=2,blue=3. The names are {', '.join(COMMON_NAMES)}.",
            )
        if name in result:
            raise BandError(f"--bands {text!r} names {name} twice.")
        result[name] = int(number)
    return result


def find_bands(dataset: DatasetReader, given: Mapping[str, int] | None = None, *, needs_color: bool = True) -> Bands:
    """Name the bands of a dataset and choose those to show.

    Raises:
        BandError: `given` asks for a band that is not there, or red, green and blue cannot be told and `needs_color`.
    """
    given = dict(given or {})
    for name, band in given.items():
        if not 1 <= band <= dataset.count:
            raise BandError(
                f"--bands asks for band {band} as {name}, but {_describe(dataset)}.",
                hint=f"Choose bands from 1 to {dataset.count}.",
            )
    found = _names(dataset)
    alpha = next((b for b, name in found.items() if name == "alpha" and b not in given.values()), None)
    spectral = [b for b in found if b != alpha]
    names = _by_name(given, {b: found[b] for b in spectral})
    notes = []
    if len(spectral) == 3 and all(f"band_{b}" in names for b in spectral):
        names = dict(zip(COLORS, spectral, strict=True))
        notes = [f"The bands have no names; {_list(spectral)} are taken as red, green and blue."]
    display = _display(names, spectral, given)
    named = [band for name, band in names.items() if not name.startswith("band_")]
    deciding: tuple[int, ...] = ()
    if not display and not needs_color and named:
        display, deciding = (named[0],), tuple(spectral)
    if not display:
        raise BandError(
            f"Red, green and blue cannot be told apart: {_describe(dataset)}.",
            hint="Name them, as in --bands red=3,green=2,blue=1, or one band to see in gray, as in --bands gray=1.",
        )
    is_palette = len(display) == 1 and dataset.colorinterp[display[0] - 1] == ColorInterp.palette
    return Bands(names, display, alpha, is_palette, notes, deciding)


def _display(names: Mapping[str, int], spectral: list[int], given: Mapping[str, int]) -> tuple[int, ...]:
    """The bands to show, empty if nobody can tell."""
    if "gray" in given and not set(COLORS) & set(given):
        return (given["gray"],)
    if all(color in names for color in COLORS):
        return tuple(names[color] for color in COLORS)
    return (spectral[0],) if len(spectral) == 1 else ()


def _by_name(given: Mapping[str, int], found: Mapping[int, str]) -> dict[str, int]:
    """Turn band-to-name into name-to-band; what is given goes first, of equal names the first band has it."""
    names = dict(given)
    for band, name in found.items():
        if band in given.values():
            continue
        names[f"band_{band}" if not name or name in names else name] = band
    return dict(sorted(names.items(), key=lambda item: item[1]))


def _names(dataset: DatasetReader) -> dict[int, str]:
    """Common name by band, empty where there is none."""
    names = {}
    for band, description in zip(dataset.indexes, dataset.descriptions, strict=True):
        tags = {key.lower(): value for key, value in dataset.tags(band).items()}
        names[band] = (
            _name_in(description or "")
            or _name_in(tags.get("common_name", tags.get("eo:common_name", "")))
            or INTERPRETED.get(dataset.colorinterp[band - 1], "")
        )
    if dataset.count == 1 and not names[1]:
        names[1] = "gray"
    for name, band in _by_wavelength(dataset).items():
        if name not in names.values() and not names[band]:
            names[band] = name
    return names


def _name_in(description: str) -> str:
    """The one common name that a description holds, or an empty string.

    Law: "Red edge 1" is rededge, "Band 4 (Red)" is red, "red/nir ratio" and "infrared" are nothing.
    """
    text = re.sub(r"[\s_\-]+", " ", description.strip().lower())
    if text in LETTERS:
        return LETTERS[text]
    found = {NAME_BY_WORD[word] for word in ANY_WORD.findall(text)}
    return found.pop() if len(found) == 1 else ""


def _by_wavelength(dataset: DatasetReader) -> dict[str, int]:
    """Band by common name, from central wavelengths in the band tags."""
    lengths = {band: _wavelength_nm(dataset, band) for band in dataset.indexes}
    result = {}
    for name, (low, middle, high) in WAVELENGTHS_NM.items():
        inside = [band for band, nm in lengths.items() if low <= nm <= high]
        if inside:
            result[name] = min(inside, key=lambda band: abs(lengths[band] - middle))
    return result


def _wavelength_nm(dataset: DatasetReader, band: int) -> float:
    """Central wavelength of a band in nanometers, 0 if unknown."""
    tags = {key.lower(): value for key, value in dataset.tags(band).items()}
    imagery = dataset.tags(band, ns="IMAGERY")
    text = imagery.get("CENTRAL_WAVELENGTH_UM") or tags.get("wavelength", "")
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value * 1000 if value < 100 else value  # micrometers below 100: no optical band is at 100 nm


def _describe(dataset: DatasetReader) -> str:
    """What a dataset holds, for an error: index, description, color interpretation and data type."""
    bands = [
        f"{band} {description!r} ({color.name}, {dtype})" if description else f"{band} ({color.name}, {dtype})"
        for band, description, color, dtype in zip(
            dataset.indexes, dataset.descriptions, dataset.colorinterp, dataset.dtypes, strict=True
        )
    ]
    more = f" and {len(bands) - 12} more" if len(bands) > 12 else ""
    return f"{dataset.name} has {len(bands)} band{'s' * (len(bands) != 1)}: {', '.join(bands[:12])}{more}"


def _list(bands: list[int]) -> str:
    return f"{', '.join(map(str, bands[:-1]))} and {bands[-1]}"
