r"""What the wide look takes for cloud over open water, by the limit of its test of water.

    python scripts/teacher_labels.py ../shared/data/ship/s2_l1c_4band out/teacher --reductions 3,2 --rim 4 \
        --include "*cloudy*"
    python benchmarks/mask_water.py ../shared/data out/teacher [--limits 9,0.2,0.15,0.1,0.07]

By limit of the normalized difference of green and near infrared (`masking.wide.WATER`; 9 is none): how much of drawn
water is called cloud; and of real cloudy dates, which the network was trained on, cloud IoU against the labels of a
teacher (`teacher_labels.py`), with the cloud that only one of both sees.
"""

import argparse
import warnings
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from clearscene.masking import wide
from clearscene.masking.classes import THICK
from clearscene.masking.combine import Wide
from clearscene.masking.masker import ModelMasker
from clearscene.models.model import Model
from clearscene.models.zoo import find_model
from labeled_clouds import Labeled
from mask_drawn import BANDS, drawn, ground
from mask_wide import found_in, read_clear
from table_text import Table, report

FACTOR = 4
UNSURE = 255


def on_drawings(masker: Wide, limits: list[float], drawings: int) -> Table:
    """% of drawings called cloud: mean and worst."""
    rows, clear = [], ground()
    for kind in ("water_glint", "open_water"):
        for limit in limits:
            wide.WATER = limit
            shares = []
            for number in range(drawings):
                planes = dict(zip(BANDS, drawn(kind, clear, number), strict=True))
                valid = np.ones(clear.shape[1:], np.bool_)
                found = found_in(Labeled(planes, valid, "toa", np.zeros(valid.shape)), masker, with_nir=True)
                shares.append(100 * float((found == THICK).mean()))
            rows.append((kind, f"{limit:g}", float(np.mean(shares)), max(shares)))
    return Table("drawn water called cloud, %", ("drawn", "limit", "mean", "worst"), tuple(rows))


def on_dates(masker: Wide, limits: list[float], folder: Path, labels: Path) -> Table:
    """Cloudy dates against a teacher."""
    counts = {limit: np.zeros(3, np.int64) for limit in limits}
    for path in sorted(folder.glob("*cloudy*.tif")):
        label = cv2.imread(str(labels / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if label is None:  # its bands are too few for the teacher
            continue
        image, sure = read_clear(path), label != UNSURE
        for limit in limits:
            wide.WATER = limit
            ours, theirs = found_in(image, masker, with_nir=True) == THICK, label == 1
            counts[limit] += [np.sum(part & sure) for part in (ours & theirs, ours & ~theirs, ~ours & theirs)]
    return Table(
        "cloudy dates against the teacher",
        ("limit", "cloud IoU", "only ours, px", "only the teacher's, px"),
        tuple((f"{limit:g}", float(c[0] / c.sum()), int(c[1]), int(c[2])) for limit, c in counts.items()),
    )


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the shared imagery")
    parser.add_argument("labels", type=Path, help="labels of the teacher")
    parser.add_argument("--limits", default="9,0.2,0.15,0.1,0.07")
    parser.add_argument("--drawings", type=int, default=12)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    limits = [float(part) for part in args.limits.split(",")]
    model = Model.load(find_model("cloud-rgbn").folder, device="cpu", threads=1)
    plain = ModelMasker(model)
    masker, folder = Wide(plain, plain, FACTOR), args.data / "ship" / "s2_l1c_4band"
    tables = [on_drawings(masker, limits, args.drawings), on_dates(masker, limits, folder, args.labels)]
    report(tables, about={"model": f"{model.manifest.name} {model.manifest.version}"}, path=args.json)


if __name__ == "__main__":
    main()
