"""What the wide look gives: the same scene seen once more by pixels several times as long.

    python benchmarks/mask_wide.py ../shared/data --half select [--factors 2,3,4,5,6] [--least 0,0.6,0.7] [--reduce 2]

By factor and least probability: IoU of cloud and shadow on the labeled images (`real_clouds.py` says which half is for
choices), with near infrared where there is some; and how much of images without a cloud is called cloud: clear dates of
Sentinel-2 that the training chips left to test, and those of `dev/fusion_s2_30dates` and `dev/cloudsen12_dates`. With
`--reduce 2` images of 10 m are made ones of 20 m before. `--patchwork` lays 144 chips of `ship/s2_l1c_4band`, clear and
cloudy at random, side by side instead, the hardest neighbors for the wide look: what of the clear ones is called cloud.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from clean_scenes import RECIPE, SATELLITE, images, landscape_of
from clearscene.grid import slices
from clearscene.masking import wide
from clearscene.masking.classes import CLEAR, IDS, SHADOW, THICK, THIN
from clearscene.masking.combine import Wide
from clearscene.masking.engine import mask_pieces, plan_for
from clearscene.masking.masker import Masker, ModelMasker
from clearscene.masking.options import MaskOptions
from clearscene.masking.source import array_source
from clearscene.models.model import Model
from clearscene.models.zoo import find_model
from labeled_clouds import CLOUD, OF_10_M, RGB, Labeled, read_case, reduced
from mask_accuracy import REGIONS, blocks_of, iou
from real_clouds import cases, half_of
from table_text import Cell, Table, report

CLEAR_DATES = (
    "2018-02-10", "2018-04-26", "2018-05-31", "2018-06-10", "2018-06-25", "2018-07-20", "2018-07-30", "2018-08-09",
    "2018-08-24", "2018-09-03", "2018-09-28", "2018-10-08", "2018-10-23", "2018-11-12", "2018-12-07",
)  # fmt: skip
"""Of `fusion_s2_30dates`, those without a cloud or haze to be seen."""
A_SIDE, CHIP, DRAWINGS = 12, 256, 3
HAZY = "ROIs2017_146"
"""Dates of one place that are mostly hazy."""
BGRN = ("blue", "green", "red", "nir")


def found_in(image: Labeled, masker: Masker, *, with_nir: bool) -> np.ndarray:
    """Ids (row, col): clear, thick cloud for any cloud, shadow."""
    names = [name for name in (*RGB, "nir") if name in image.planes and (with_nir or name != "nir")]
    data = np.where(image.valid, np.stack([image.planes[name] for name in names]), np.float32(np.nan))
    source, result = array_source(data, names, kind=image.kind), np.zeros(image.valid.shape, np.uint8)
    for piece in mask_pieces(source, masker, classes=len(IDS) - 1, plan=plan_for(source, masker, MaskOptions())):
        result[slices(piece.window)] = piece.class_map
    return result


def maskers(model: Model, factors: list[int], least: list[float]) -> Iterator[tuple[str, Masker, float]]:
    """Name, masker, and least probability: one without a wide look, and those with."""
    plain = ModelMasker(model)
    yield "without", plain, wide.LEAST
    for factor in factors:
        for limit in least:
            yield f"x {factor}, {limit:g}", Wide(plain, plain, factor), limit


def clear_images(data: Path) -> Iterator[tuple[str, Labeled]]:
    """Group and image of the clear ones."""
    held = [path for group, paths in images(data, RECIPE, "test") for path in paths if group != "whole scenes"]
    for path in held:
        if landscape_of(path.name) == SATELLITE:
            yield "clear dates of the test split", read_clear(path)
    for name in CLEAR_DATES:
        yield "fusion_s2_30dates", read_clear(data / f"dev/fusion_s2_30dates/{name}.tif")
    for path in sorted((data / "dev/cloudsen12_dates").glob("*/clear/S2L1C.tif")):
        yield "cloudsen12_dates, snow in one of two", read_clear(path, RGB)


def read_clear(path: Path, names: tuple[str, ...] = BGRN) -> Labeled:
    with rasterio.open(path) as source:
        stored = source.read(list(range(1, len(names) + 1))).astype(np.float32) / np.float32(10_000)
    return Labeled(dict(zip(names, stored, strict=True)), stored.any(axis=0), "toa", np.zeros(stored.shape[1:]))


def accuracy(model: Model, args: argparse.Namespace) -> list[Table]:
    """IoU by masker and source."""
    total: dict[tuple[str, str, str], np.ndarray] = defaultdict(lambda: np.zeros(4))
    columns: dict[str, list[str]] = {"cloud": [], "shadow": []}
    for case in half_of(list(cases(args.data / "dev")), args.half):
        image = read_case(case)
        if args.reduce > 1 and case.source not in OF_10_M:
            continue
        image = reduced(image, args.reduce) if args.reduce > 1 else image
        for with_nir in (False, True) if "nir" in image.planes else (False,):
            column = f"{case.source}{', nir' if with_nir else ''}"
            for name, masker, limit in maskers(model, args.factors, args.least):
                wide.LEAST = limit
                found = found_in(image, masker, with_nir=with_nir)
                for region in ("cloud", "shadow") if case.has_shadow else ("cloud",):
                    columns[region] += [column] if column not in columns[region] else []
                    total[region, name, column] += blocks_of(found, image.truth, REGIONS[region]).sum(axis=0)
    names = [name for name, *_ in maskers(model, args.factors, args.least)]
    return [
        Table(
            f"{region} IoU",
            ("wide look", *found),
            tuple((name, *(_cell(total[region, name, column]) for column in found)) for name in names),
        )
        for region, found in columns.items()
    ]


def _cell(counts: np.ndarray) -> Cell:
    return float(iou(counts)) if counts[0] + counts[2] else None


def false_clouds(model: Model, args: argparse.Namespace) -> Table:
    """% of clear images that is called cloud."""
    wrong, area = defaultdict(lambda: defaultdict(int)), defaultdict(int)
    for group, image in clear_images(args.data):
        image = reduced(image, args.reduce) if args.reduce > 1 else image
        area[group] += int(image.valid.sum())
        for name, masker, limit in maskers(model, args.factors, args.least):
            wide.LEAST = limit
            found = found_in(image, masker, with_nir=True)
            wrong[name][group] += int((np.isin(found, (THICK, THIN, CLOUD)) & image.valid).sum())
    rows = tuple((name, *(100 * of_name[group] / area[group] for group in area)) for name, of_name in wrong.items())
    return Table("clear images called cloud, %", ("wide look", *area), rows)


def patchwork(model: Model, args: argparse.Namespace) -> Table:
    """% of the clear chips of a patchwork called cloud, of all and of the worst, by drawing."""
    chips = []
    for path in sorted((args.data / "ship/s2_l1c_4band").glob("*.tif")):
        with rasterio.open(path) as source:
            if (source.count, source.height, source.width) == (4, CHIP, CHIP):
                chips.append((path.name, source.read().astype(np.float32) / np.float32(10_000)))
    rng, shares = np.random.default_rng(1), defaultdict(list)
    for _ in range(DRAWINGS):
        drawn = rng.permutation(len(chips))[: A_SIDE**2]
        rows = [np.concatenate([chips[i][1] for i in row], axis=2) for row in drawn.reshape(A_SIDE, A_SIDE)]
        planes = np.concatenate(rows, axis=1)
        image = Labeled(dict(zip(BGRN, planes, strict=True)), planes.any(axis=0), "toa", np.zeros(planes.shape[1:]))
        is_clear = np.array(["cloudy" not in chips[i][0] and HAZY not in chips[i][0] for i in drawn])
        for name, masker, limit in maskers(model, args.factors, args.least):
            wide.LEAST = limit
            cloud = np.isin(found_in(image, masker, with_nir=True), (THICK, THIN))
            by_chip = cloud.reshape(A_SIDE, CHIP, A_SIDE, CHIP).mean(axis=(1, 3)).ravel()
            shares[name].append(by_chip[is_clear])
    drawings = [f"drawing {n + 1}" for n in range(DRAWINGS)]
    rows = tuple(
        (name, 100 * float(np.concatenate(of).mean()), *(100 * float(part.max()) for part in of))
        for name, of in shares.items()
    )
    return Table(
        "patchwork: clear chips called cloud, %", ("wide look", "all", *(f"worst, {d}" for d in drawings)), rows
    )


def main() -> None:
    """Measure and print."""
    assert (IDS[0], IDS[-1]) == (CLEAR, SHADOW)
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--factors", type=lambda text: [int(word) for word in text.split(",")], default=[2, 3, 4, 5, 6])
    parser.add_argument("--least", type=lambda text: [float(word) for word in text.split(",")], default=[0.0, 0.6, 0.7])
    parser.add_argument("--reduce", type=int, default=1)
    parser.add_argument("--patchwork", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = Model.load(find_model("cloud-rgbn").folder, device="cpu", threads=1)
    about = {"model": f"{model.manifest.name} {model.manifest.version}", "half": args.half, "reduce": args.reduce}
    found = [patchwork(model, args)] if args.patchwork else [*accuracy(model, args), false_clouds(model, args)]
    report(found, about=about, path=args.json)


if __name__ == "__main__":
    main()
