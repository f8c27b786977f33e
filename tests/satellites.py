"""Small Sentinel-2 and Landsat products in their real folder layouts, with known stored values."""

import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS

UTM = CRS.from_epsg(32632)
ORIGIN = (600_000, 5_000_040)
SAFE_NAME = "S2B_MSI{level}_20230716T101609_N0509_R065_T32TQM_20230716T141023"
GRANULE = "{level}_T32TQM_A033215_20230716T101608"
SENTINEL_GSD = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12"), 60: ("B01", "B09")}
NUMBERS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
HEIGHT_M, WIDTH_M = 3000, 4200
"""Ground that a small Sentinel-2 product covers: 300 x 420 px at 10 m."""


def ramp(band: int, gsd: float, height: int, width: int, *, start: float = 1500) -> np.ndarray:
    """DN that fall on a plane over the ground, another for every band: any footprint mean is known."""
    x, y = (np.arange(width) + 0.5) * gsd, (np.arange(height) + 0.5) * gsd
    return (start + 100 * band + 0.8 * x[None] + 0.4 * y[:, None]).astype(np.uint16)


def plane(band: int, transform: Affine, height: int, width: int, *, start: float = 1500) -> np.ndarray:
    """The same plane on another grid, unrounded."""
    x = (np.arange(width) + 0.5) * transform.a + transform.c - ORIGIN[0]
    y = ORIGIN[1] - ((np.arange(height) + 0.5) * transform.e + transform.f)
    return start + 100 * band + 0.8 * x[None] + 0.4 * y[:, None]


@dataclass
class Safe:
    """What a small SAFE holds; change it before writing."""

    level: str = "L1C"
    baseline: str = "05.09"
    offsets: dict[int, int] = field(default_factory=lambda: {number: -1000 - number for number in range(13)})
    """By band_id, each another."""
    quantification: int = 10_000
    collar: int = 0
    """Columns of 10 m on the left without data."""
    left_out: tuple[str, ...] = ()
    """Labels of bands whose files are not written."""

    def write(self, parent: Path) -> Path:
        """Write the folder; gives its path."""
        root = parent / f"{SAFE_NAME.format(level=self.level)}.SAFE"
        granule = root / "GRANULE" / GRANULE.format(level=self.level)
        images = granule / "IMG_DATA"
        images.mkdir(parents=True)
        (root / "DATASTRIP").mkdir()
        (granule / "QI_DATA").mkdir()
        (granule / "MTD_TL.xml").write_text("<n1:Level-1C_Tile_ID xmlns:n1='urn:tile'/>")
        (root / f"MTD_MSI{self.level}.xml").write_text(self.metadata(), encoding="utf-8")
        for label, gsd in self.files():
            if label not in self.left_out:
                write_jp2(self.file(images, label, gsd), self.data(label, gsd), gsd)
        if self.level == "L2A":
            write_jp2(images / "R20m" / "T32TQM_20230716T101609_SCL_20m.jp2", self.scl(), 20)
        return root

    def files(self) -> list[tuple[str, int]]:
        """Labels and pixel sizes of the files."""
        native = [(label, gsd) for gsd, labels in SENTINEL_GSD.items() for label in labels]
        if self.level == "L1C":
            return [*native, ("B10", 60)]
        coarser = [("B02", 20), ("B03", 20), ("B04", 20), ("B02", 60), ("B03", 60), ("B04", 60)]
        return [(label, max(gsd, 20) if label == "B01" else gsd) for label, gsd in native] + coarser

    def file(self, images: Path, label: str, gsd: int) -> Path:
        """Path of a band's file."""
        stem = f"T32TQM_20230716T101609_{label}"
        return images / f"{stem}.jp2" if self.level == "L1C" else images / f"R{gsd}m" / f"{stem}_{gsd}m.jp2"

    def data(self, label: str, gsd: int) -> np.ndarray:
        """Stored values of a band."""
        data = ramp(NUMBERS.index(label), gsd, HEIGHT_M // gsd, WIDTH_M // gsd)
        data[:, : self.collar * 10 // gsd] = 0
        return data

    def scl(self) -> np.ndarray:
        """Scene classes: vertical stripes of 0, 1, ... 11, 30 px at 20 m wide each at most."""
        stripes = np.arange(WIDTH_M // 20) // 18
        return np.broadcast_to(np.minimum(stripes, 11).astype(np.uint8), (HEIGHT_M // 20, WIDTH_M // 20)).copy()

    def metadata(self) -> str:
        """The product metadata, as far as they matter."""
        tag = "RADIO_ADD_OFFSET" if self.level == "L1C" else "BOA_ADD_OFFSET"
        group = "Radiometric_Offset_List" if self.level == "L1C" else "BOA_ADD_OFFSET_VALUES_LIST"
        offsets = "".join(f'<{tag} band_id="{number}">{value}</{tag}>' for number, value in self.offsets.items())
        value = f'<QUANTIFICATION_VALUE unit="none">{self.quantification}</QUANTIFICATION_VALUE>'
        if self.level == "L2A":
            value = (
                "<QUANTIFICATION_VALUES_LIST>"
                f'<BOA_QUANTIFICATION_VALUE unit="none">{self.quantification}</BOA_QUANTIFICATION_VALUE>'
                '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
            )
        return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{self.level[1:]}_User_Product xmlns:n1="https://psd-14.sentinel2.example/User_Product.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>2023-07-16T10:16:09.024Z</PRODUCT_START_TIME>
      <PROCESSING_LEVEL>Level-{self.level[1:]}</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>{self.baseline}</PROCESSING_BASELINE>
      <Datatake><DATATAKE_SENSING_START>2023-07-16T10:16:09.024Z</DATATAKE_SENSING_START></Datatake>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      {value}
      {f"<{group}>{offsets}</{group}>" if offsets else ""}
    </Product_Image_Characteristics>
  </n1:General_Info>
</n1:Level-{self.level[1:]}_User_Product>
"""


OLI_BANDS = {1: 30, 2: 30, 3: 30, 4: 30, 5: 30, 6: 30, 7: 30, 8: 15, 9: 30}


@dataclass
class Landsat:
    """What a small Landsat product holds; change it before writing."""

    name: str = "LC08_L1TP_193028_20230716_20230725_02_T1"
    spacecraft: str = "LANDSAT_8"
    level: str = "L1TP"
    sun_elevation: str | None = "60.0"
    left_out: tuple[int, ...] = ()
    height: int = 101
    width: int = 67
    collar: int = 0
    """Rows at the top without data."""

    @property
    def is_level_2(self) -> bool:
        return self.level.startswith("L2")

    def write(self, parent: Path) -> Path:
        """Write the folder; gives its path."""
        root = parent / self.name
        root.mkdir(parents=True)
        for number, gsd in OLI_BANDS.items():
            if number in self.left_out or (self.is_level_2 and number > 7):
                continue
            write_band(root / self.file(number), self.data(number), gsd)
        write_band(root / f"{self.name}_QA_PIXEL.TIF", self.qa(), 30, nodata=1)
        (root / f"{self.name}_MTL.txt").write_text(self.mtl())
        return root

    def file(self, number: int) -> str:
        return f"{self.name}_{'SR_' if self.is_level_2 else ''}B{number}.TIF"

    def data(self, number: int) -> np.ndarray:
        """Stored values of a band; the panchromatic one begins half a coarse pixel further in, as it does."""
        gsd = OLI_BANDS[number]
        factor = 30 // gsd
        data = ramp(number, gsd, self.height * factor, self.width * factor, start=8000)
        data[: self.collar * factor] = 0
        return data

    def qa(self) -> np.ndarray:
        """QA_PIXEL: columns of clear, cloud, dilated cloud, shadow, cirrus and snow; fill in the collar."""
        words = np.array([21824, 22280, 21826, 23888, 54596, 30048], np.uint16)
        data = np.broadcast_to(words[np.arange(self.width) // 6 % 6], (self.height, self.width)).copy()
        data[: self.collar] = 1
        return data

    def mtl(self) -> str:
        """Metadata by group, the Level-1 and Level-2 factors under equal keys."""
        names = [f'    FILE_NAME_BAND_{n} = "{self.file(n)}"' for n in OLI_BANDS if not (self.is_level_2 and n > 7)]
        sun = [f"    SUN_ELEVATION = {self.sun_elevation}"] if self.sun_elevation else []
        lines = ["GROUP = LANDSAT_METADATA_FILE", "  GROUP = PRODUCT_CONTENTS"]
        lines += [f'    LANDSAT_PRODUCT_ID = "{self.name}"', f'    PROCESSING_LEVEL = "{self.level}"']
        lines += ["    COLLECTION_NUMBER = 02", *names]
        lines += [f'    FILE_NAME_QUALITY_L1_PIXEL = "{self.name}_QA_PIXEL.TIF"', "  END_GROUP = PRODUCT_CONTENTS"]
        lines += ["  GROUP = IMAGE_ATTRIBUTES", f'    SPACECRAFT_ID = "{self.spacecraft}"']
        lines += ["    DATE_ACQUIRED = 2023-07-16", '    SCENE_CENTER_TIME = "10:04:11.1234560Z"', *sun]
        lines += ["  END_GROUP = IMAGE_ATTRIBUTES"]
        if self.is_level_2:
            lines += _factors("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", 2.75e-5, -0.2)
            lines += ["  GROUP = LEVEL1_PROCESSING_RECORD", '    PROCESSING_LEVEL = "L1TP"']
            lines += ['    FILE_NAME_BAND_2 = "of_level_1_B2.TIF"', "  END_GROUP = LEVEL1_PROCESSING_RECORD"]
        lines += _factors("LEVEL1_RADIOMETRIC_RESCALING", 2.0e-5, -0.1)
        return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def _factors(group: str, mult: float, add: float) -> list[str]:
    lines = [f"  GROUP = {group}"]
    lines += [f"    REFLECTANCE_MULT_BAND_{n} = {mult * (1 + n / 100):.6e}" for n in range(1, 10)]
    lines += [f"    REFLECTANCE_ADD_BAND_{n} = {add:.6f}" for n in range(1, 10)]
    return [*lines, f"  END_GROUP = {group}"]


def write_jp2(path: Path, data: np.ndarray, gsd: float) -> None:
    """Write one band as the agency does: lossless JPEG 2000, with reduced levels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "RESOLUTIONS": "4", "BLOCKXSIZE": 128, "BLOCKYSIZE": 128}
    write_band(path, data, gsd, driver="JP2OpenJPEG", **options)


def write_band(path: Path, data: np.ndarray, gsd: float, *, driver: str = "GTiff", **options: object) -> None:
    """Write (row, col) at the common origin."""
    transform = Affine(gsd, 0, ORIGIN[0], 0, -gsd, ORIGIN[1])
    height, width = data.shape
    profile = {"driver": driver, "count": 1, "height": height, "width": width, "dtype": data.dtype}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=transform, **options) as dataset:
        dataset.write(data, 1)


def zipped(folder: Path, *, inside: str = "") -> Path:
    """Put a folder into a zip beside it, under its own name."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{inside}{file.relative_to(folder.parent)}")
    return path


def tarred(folder: Path, *, suffix: str = ".tar") -> Path:
    """Put the files of a folder into a tar beside it, without the folder, as the agency does."""
    path = folder.with_name(folder.name + suffix)
    with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, f"./{file.name}" if suffix.endswith("gz") else file.name)
    return path
