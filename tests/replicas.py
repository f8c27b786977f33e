"""Tiny copies of the layouts of published data sets, with the names, codes and types of the real files.

`python -m tests.replicas OUT` writes all of them. Every band and pixel differs; values are known by `dn`, codes by
`codes`, so that a test can say what a loader must give.
"""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from scipy.io import netcdf_file

from clearscene.raster.gdal import no_place_needed

HEIGHT, WIDTH = 36, 44
BIOME_IDS = ("LC80420082013220LGN00", "LC81390292014135LGN00", "LC80841202014309LGN00")
SPARCS_ID = "LC81480352013195LGN00_32"
CLOUD_TRAIN = "LC08_L1TP_002053_20160520_20170324_01_T1"
CLOUD_TEST = "LC08_L1TP_029032_20160720_20170222_01_T1"
CLOUD_MORE = "LC08_L1TP_034032_20160520_20170324_01_T1"
SIDE = 24
PRODUCT = "S2A_MSIL1C_20180131T010721_N0206_R045_T53HLD_20180131T041600"
ROI = "20190212T142031_20190212T143214_T19FDF"


def dn(band: int, height: int = HEIGHT, width: int = WIDTH, *, start: int = 6000, step: int = 1) -> np.ndarray:
    """Stored values of a band (row, col): every pixel of every band has its own, none is 0."""
    flat = start + step * (band * height * width + np.arange(height * width))
    return flat.reshape(height, width).astype(np.uint16)


def codes(values: Sequence[int], height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Codes in vertical stripes, so that columns tell them."""
    return np.tile(np.array(values)[np.arange(width) * len(values) // width], (height, 1)).astype(np.uint8)


def write_tif(
    path: Path, bands: np.ndarray, *, epsg: int | None = None, driver: str = "GTiff", top: int = 4000000
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = bands[None] if bands.ndim == 2 else bands
    place = {"crs": CRS.from_epsg(epsg), "transform": Affine(30, 0, 500000, 0, -30, top)} if epsg else {}
    count, height, width = stack.shape
    with (
        no_place_needed(),
        rasterio.open(
            path, "w", driver=driver, count=count, height=height, width=width, dtype=stack.dtype, **place
        ) as file,
    ):
        file.write(stack)


def write_png(path: Path, image: np.ndarray) -> None:
    """A gray picture (row, col), or a colored one (row, col, band) in red, green, blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image if image.ndim == 2 else image[..., ::-1])
    assert done
    path.write_bytes(data.tobytes())


def write_table(path: Path, rows: Sequence[dict[str, object]], mark: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=mark)
        writer.writeheader()
        writer.writerows(rows)


def mtl(sun: float = 30.0) -> str:
    """An MTL file before Collection 1, whose factors differ from band to band."""
    lines = ["GROUP = L1_METADATA_FILE", "  GROUP = IMAGE_ATTRIBUTES", f"    SUN_ELEVATION = {sun}"]
    lines += ["  END_GROUP = IMAGE_ATTRIBUTES", "  GROUP = RADIOMETRIC_RESCALING"]
    lines += [f"    REFLECTANCE_MULT_BAND_{n} = {2e-5 * (1 + n / 100)}" for n in range(1, 10)]
    lines += [f"    REFLECTANCE_ADD_BAND_{n} = {-0.1 - n / 1000}" for n in range(1, 10)]
    lines += [f"    RADIANCE_MULT_BAND_{n} = 3.3420E-04\n    RADIANCE_ADD_BAND_{n} = 0.10000" for n in (10, 11)]
    lines += ["  END_GROUP = RADIOMETRIC_RESCALING", "  GROUP = TIRS_THERMAL_CONSTANTS"]
    lines += ["    K1_CONSTANT_BAND_10 = 774.89", "    K1_CONSTANT_BAND_11 = 480.89"]
    lines += ["    K2_CONSTANT_BAND_10 = 1321.08", "    K2_CONSTANT_BAND_11 = 1201.14"]
    return "\n".join([*lines, "  END_GROUP = TIRS_THERMAL_CONSTANTS", "END_GROUP = L1_METADATA_FILE", "END", ""])


def biome(folder: Path) -> None:
    """Three scenes as USGS gives them, of three biomes; fill in the first column."""
    for i, (scene, home) in enumerate(zip(BIOME_IDS, ("Barren", "Barren", "SnowIce"), strict=True)):
        place, top = folder / home / "BC" / scene, 4000000 + 10000 * i
        for n in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11):
            band = dn(n)
            band[:, 0] = 0
            write_tif(place / f"{scene}_B{n}.TIF", band, epsg=32611, top=top)
        write_tif(place / f"{scene}_B8.TIF", dn(8, 2 * HEIGHT, 2 * WIDTH), epsg=32611, top=top)
        mask = codes([128, 255, 192, 64])
        mask[:, 0] = 0
        write_tif(place / f"{scene}_fixedmask.img", mask, driver="ENVI")
        (place / f"{scene}_MTL.txt").write_text(mtl())


def biome_stack(folder: Path) -> None:
    """One scene as one stack of eleven bands, without an MTL file."""
    scene = BIOME_IDS[0]
    write_tif(folder / "barren" / scene / f"{scene}.TIF", np.stack([dn(n) for n in range(1, 12)]), epsg=32611)
    write_tif(folder / "barren" / scene / f"{scene}_fixedmask.TIF", codes([0, 64, 128, 192, 255]), epsg=32611)


def sparcs(folder: Path, *, is_usgs: bool = True) -> None:
    """One scene of either download."""
    home = folder / "sending" if is_usgs else folder
    write_tif(home / f"{SPARCS_ID}_data.tif", np.stack([dn(n) for n in range(10)]), epsg=32643)
    mask = codes(range(7))
    if is_usgs:
        write_png(home / f"{SPARCS_ID}_mask.png", mask)
    else:
        write_tif(home / f"{SPARCS_ID}_labels.tif", mask)
    (home / f"{SPARCS_ID}_mtl.txt").write_text(mtl(45.0))


def cloud_patches(home: Path, sub: str, scene: str, *, has_truth: bool) -> list[str]:
    """Two rows of three patches of a scene; each band starts at another number. Names without the band."""
    names = []
    for row in range(2):
        for col in range(3):
            name = f"patch_{1 + row * 3 + col}_{row + 1}_by_{col + 1}_{scene}"
            names.append(name)
            for n, band in enumerate(("red", "green", "blue", "nir")):
                values = dn(6 * n + 3 * row + col, SIDE, SIDE)
                if row == 0:
                    values[:5] = 0  # the zeros above the scene
                write_tif(home / sub.format(band) / f"{band}_{name}.TIF", values)
            if has_truth:
                write_tif(home / sub.format("gt") / f"gt_{name}.TIF", codes([0, 255], SIDE, SIDE))
    return names


def cloud38(folder: Path) -> None:
    """A training scene and a test scene of 38-Cloud."""
    training, test = folder / "38-Cloud_training", folder / "38-Cloud_test"
    names = cloud_patches(training, "train_{}", CLOUD_TRAIN, has_truth=True)
    write_table(training / "training_patches_38-Cloud.csv", [{"name": name} for name in names])
    names = cloud_patches(test, "test_{}", CLOUD_TEST, has_truth=False)
    write_table(test / "test_patches_38-Cloud.csv", [{"name": name} for name in names])
    # the scene is smaller than 48 x 72 by 5 rows and 3 columns: 2 rows above it, 3 below
    truth = codes([0, 1, 1], 2 * SIDE - 5, 3 * SIDE - 3)
    write_tif(test / "Entire_scene_gts" / f"edited_corrected_gts_{CLOUD_TEST}.TIF", truth)


def cloud95(folder: Path) -> None:
    """The additional part of 95-Cloud only."""
    home = folder / "95-cloud_training_only_additional_to38-cloud"
    cloud_patches(home, "train_{}_additional_to38cloud", CLOUD_MORE, has_truth=True)


def cloudsen12(folder: Path) -> None:
    """Three samples in folders: two dates of a region of interest, and a scribble."""
    rows = []
    for roi, test, kind in (("ROI_0001", 0, "high"), ("ROI_0002", 1, "high"), ("ROI_0003", 0, "scribble")):
        home = folder / kind / roi / ROI
        write_tif(home / "S2L1C.tif", np.stack([dn(n, start=500) for n in range(13)]), epsg=32719)
        write_tif(home / "S2L2A.tif", np.stack([dn(n, start=300) for n in range(12)]), epsg=32719)
        name, values = ("manual_hq", [0, 1, 2, 3]) if kind == "high" else ("manual_sc", [0, 1, 2, 3, 4, 5, 6, 99])
        write_tif(home / "labels" / f"{name}.tif", codes(values))
        rows.append({"roi_id": roi, "s2_id_gee": ROI, "label_type": kind, "test": test})
    write_table(folder / "cloudsen12_metadata.csv", rows)


def cloudsen12_packed(folder: Path, n: int = 2) -> None:
    """Two patches of each split as numpy files without a header: 509 rows and columns, and zeros after them."""
    for number, split in enumerate(("train", "test")):
        home = folder / split
        home.mkdir(parents=True)
        names = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
        for k, name in enumerate(names):
            stack = np.zeros((n, 512, 512), "<i2")
            for i in range(n):
                stack[i, :509, :509] = 100 * (k + 1) + 10 * i + np.arange(509) % 7
            stack.tofile(home / f"L1C_{name}.dat")
        labels = np.zeros((n, 512, 512), np.uint8)
        labels[:, :, 256:] = 1 + number
        labels.tofile(home / "LABEL_manual_hq.dat")
        rows = [{"roi_id": f"ROI_{split}_{i}", "s2_id_gee": ROI, "proj_shape": 509} for i in range(n)]
        write_table(home / "metadata.csv", rows)


def kappaset(folder: Path) -> None:
    """One sub-tile as netCDF, with floating reflectance."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
    with netcdf_file(folder / "L1C_T31TFJ_A026694_20200731T104027_0_0.nc", "w") as file:
        file.createDimension("y", HEIGHT)
        file.createDimension("x", WIDTH)
        for n, name in enumerate(names):
            file.createVariable(name, "f4", ("y", "x"))[:] = dn(n, start=1) / np.float32(25000)
        file.createVariable("Label", "i1", ("y", "x"))[:] = codes(range(6)).astype(np.int8)


def catalogue(folder: Path) -> None:
    """Two sub-scenes; shadow was drawn in the first."""
    rows = []
    for number, scene in enumerate((PRODUCT, PRODUCT.replace("T53HLD", "T54HXE"))):
        (folder / "subscenes").mkdir(parents=True, exist_ok=True)
        (folder / "masks").mkdir(exist_ok=True)
        stack = np.stack([dn(n, start=1) / np.float32(25000) for n in range(13)], axis=2).astype(np.float32)
        np.save(folder / "subscenes" / f"{scene}.npy", stack)
        stripes = codes([0, 1, 2, 9])
        np.save(folder / "masks" / f"{scene}.npy", np.stack([stripes == n for n in range(3)], axis=2))
        rows.append({"index": number, "scene": scene, "shadows_marked": 1 - number, "difficulty": 2})
    write_table(folder / "classification_tags.csv", rows)


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A colored picture (row, col, band) whose bands differ."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def hrc_whu(folder: Path) -> None:
    """A picture of each split; masks of 0 and 255."""
    for split, name in (("train", "vegetation_1"), ("test", "snow_2")):
        write_tif(folder / "img_dir" / split / f"{name}.tif", picture(len(name)).transpose(2, 0, 1))
        write_tif(folder / "ann_dir" / split / f"{name}.tif", codes([0, 255]))
        (folder / f"{split}.txt").write_text(f"{name}.tif\n")


def challenge(folder: Path) -> None:
    """Two chips for training, one to test, as plain folders."""
    for part, home, chips in (("train", "public", ("aabj", "aacn")), ("test", "private", ("zzzz",))):
        rows = []
        for k, chip in enumerate(chips):
            for n, band in enumerate(("B02", "B03", "B04", "B08")):
                path = folder / home / f"{part}_features" / chip / f"{band}.tif"
                write_tif(path, dn(n, start=200 + 50 * k), epsg=32630)
            write_tif(folder / home / f"{part}_labels" / f"{chip}.tif", codes([0, 1]), epsg=32630)
            rows.append({"chip_id": chip, "location": "Chifunfu", "datetime": "2020-04-29T08:20:47Z"})
        write_table(folder / home / f"{part}_metadata.csv", rows)


def challenge_stac(folder: Path) -> None:
    """One chip in the STAC layout."""
    root = "ref_cloud_cover_detection_challenge_v1_train"
    home = folder / f"{root}_source" / f"{root}_source_aabj"
    for n, band in enumerate(("B02", "B03", "B04", "B08")):
        write_tif(home / f"{band}.tif", dn(n, start=200), epsg=32630)
    item = {"type": "Feature", "properties": {"datetime": "2020-04-29T08:20:47Z"}}
    (home / "stac.json").write_text(json.dumps(item))
    write_tif(folder / f"{root}_labels" / f"{root}_labels_aabj" / "labels.tif", codes([0, 1]), epsg=32630)


def pixbox_s2(folder: Path) -> None:
    """Six pixels, of which one is both cloud and shadow and one is neither."""
    rows = [
        {"PRODUCT_ID": 5472572, "PIXEL_X": 3, "PIXEL_Y": 1, "CLOUD_CHARACTERISTICS_ID": 2, "SHADOW_ID": 0},
        {"PRODUCT_ID": 5472572, "PIXEL_X": 4, "PIXEL_Y": 2, "CLOUD_CHARACTERISTICS_ID": 1, "SHADOW_ID": 3},
        {"PRODUCT_ID": 5472572, "PIXEL_X": 5, "PIXEL_Y": 3, "CLOUD_CHARACTERISTICS_ID": 6, "SHADOW_ID": 3},
        {"PRODUCT_ID": 183807605, "PIXEL_X": 6, "PIXEL_Y": 4, "CLOUD_CHARACTERISTICS_ID": 7, "SHADOW_ID": 1},
        {"PRODUCT_ID": 183807605, "PIXEL_X": 7, "PIXEL_Y": 5, "CLOUD_CHARACTERISTICS_ID": 0, "SHADOW_ID": 4},
        {"PRODUCT_ID": 183807605, "PIXEL_X": 8, "PIXEL_Y": 6, "CLOUD_CHARACTERISTICS_ID": 1, "SHADOW_ID": 9},
    ]
    write_table(folder / "pixbox_sentinel2_cmix_20180425.csv", rows, ";")


def pixbox_l8(folder: Path) -> None:
    """Four pixels; the column that tells cloud in the other collection means another thing here."""
    rows = [
        {
            "PRODUCT_ID": 1093075446,
            "PIXEL_X": n,
            "PIXEL_Y": 2 * n,
            "PIXEL_SURFACE_TYPE_ID": surface,
            "CLOUD_CHARACTERISTICS_ID": 5,
            "CLOUD_SHADOW_ID": shadow,
        }
        for n, (surface, shadow) in enumerate([(0, 0), (1, 1), (4, 0), (9, 0)])
    ]
    write_table(folder / "pixbox_landsat8_cmix_20150527.csv", rows)


def city_osm(folder: Path) -> None:
    """A picture of each of two cities; the last stripe has a color that means nothing."""
    colors = np.array([[255, 255, 255], [255, 0, 0], [0, 0, 255], [254, 1, 1]], np.uint8)
    for city in ("berlin", "paris"):
        write_png(folder / city / f"{city}1_image.png", picture(len(city)))
        write_png(folder / city / f"{city}1_labels.png", colors[codes([0, 1, 2, 3])])


def ade20k(folder: Path) -> None:
    """A photo of each part; sky is 3."""
    for part, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        write_png(folder / "images" / part / f"{name}.png", picture(len(part)))
        write_png(folder / "annotations" / part / f"{name}.png", codes([0, 3, 2, 150]))


def own_folders(folder: Path) -> None:
    """Images and masks in `img_dir` and `ann_dir`, with `dataset.toml` beside them."""
    for split, name in (("train", "east_1"), ("train", "east_2"), ("val", "west_1")):
        write_tif(folder / "img_dir" / split / f"{name}.tif", np.stack([dn(n, start=100) for n in range(2)]))
        write_png(folder / "ann_dir" / split / f"{name}.png", codes([0, 7, 200]))
    (folder / "dataset.toml").write_text(
        'name = "own"\nbands = ["red", "nir"]\nscaling = "reflectance"\ngroup = "^([a-z]+)_"\nignored = [200]\n'
        '[[classes]]\nname = "clear"\ncodes = [0]\ncloud = "clear"\n'
        '[[classes]]\nname = "cloud"\ncodes = [7]\ncloud = "thick"\n'
    )


REPLICAS: dict[str, Callable[[Path], None]] = {
    "landsat8-biome": biome,
    "sparcs": sparcs,
    "38-cloud": cloud38,
    "95-cloud": cloud95,
    "cloudsen12": cloudsen12,
    "cloudsen12-l2a": cloudsen12,
    "cloudsen12-scribble": cloudsen12,
    "kappaset": kappaset,
    "s2-cloud-mask-catalogue": catalogue,
    "hrc-whu": hrc_whu,
    "cloud-cover-challenge": challenge,
    "city-osm": city_osm,
    "ade20k-outdoors": ade20k,
    "pixbox-s2": pixbox_s2,
    "pixbox-l8": pixbox_l8,
}
"""By name of the data set; CloudSEN12+ needs a package and has a stand-in in its test."""


def main(out: Path) -> None:
    for name, write in REPLICAS.items():
        write(out / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
