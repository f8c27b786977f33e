"""Make the picture of the README from the scene of `clearscene demo`: the scene beside what inspection drew on it.

python scripts/readme_picture.py
"""

import base64
import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.raster.scene import open_scene
from clearscene.synth.scene import SceneSpec, make_scene

OUT = Path(__file__).parents[1] / "docs" / "images" / "inspect.jpg"
WIDTH = 900
GAP = 12


def main() -> None:
    """Draw the picture and write it."""
    with tempfile.TemporaryDirectory() as folder:
        scene, run = Path(folder) / "scene.tif", Path(folder) / "run"
        make_scene(SceneSpec(3072, 4096, seed=1, defects=frozenset(BY_NAME)), scene)
        inspect_scene(scene, run, prepare(InspectOptions()))
        with open_scene(scene) as source:
            height = round(WIDTH * source.grid.height / source.grid.width)
            plain = source.read(source.grid.window, out_shape=(height, WIDTH)).data.transpose(1, 2, 0)[..., ::-1]
        drawn = cv2.resize(quicklook(run / "report.html"), (WIDTH, height), interpolation=cv2.INTER_AREA)
    gap = np.full((height, GAP, 3), 255, np.uint8)
    OUT.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(OUT), np.hstack([plain, gap, drawn]), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(OUT)


def quicklook(report: Path) -> NDArray[np.uint8]:
    """The overview of a report, BGR (row, col, 3)."""
    found = re.search(r'src="data:image/\w+;base64,([^"]+)"', report.read_text(encoding="utf-8"))
    assert found is not None, "the report has no overview"
    raw = np.frombuffer(base64.b64decode(found[1]), np.uint8)
    return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8)


if __name__ == "__main__":
    main()
