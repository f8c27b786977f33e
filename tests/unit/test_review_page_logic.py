"""Order, filter and grid of the review page, run by node where it is there."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import clearscene.review

PAGE = Path(clearscene.review.__file__).parent / "page"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

ORDER = """
const finding = (key, penalty, confidence, [col, row], status = "proposed", type = "cloud") =>
  ({ key, id: key, penalty, confidence, status, type, bounds: [col, row, col + 2, row + 2] });
const all = [
  finding(1, 2, 0.5, [90, 0]), finding(2, 5, 0.9, [10, 5], "accepted"),
  finding(3, 5, 0.7, [50, 60]), finding(4, 0, 0.9, [20, 61], "rejected", "blur"),
];
const sorted = (by, isReversed) => m.sortKeys(all, { by, isReversed, strip: 50 });
const only = (types, statuses) =>
  all.filter((f) => m.passes(f, { types: new Set(types), statuses: new Set(statuses) })).map((f) => f.key);
export default {
  penalty: sorted("penalty"), confidence: sorted("confidence"), place: sorted("place"),
  reversed: sorted("penalty", true),
  unfiltered: only([], []), clouds: only(["cloud"], []), accepted: only([], ["accepted"]),
  both: only(["cloud"], ["rejected"]),
  next: m.stepFrom([7, 8, 9], 8, 1), end: m.stepFrom([7, 8, 9], 9, 1), none: m.stepFrom([], 8, 1),
  gone: m.stepFrom([7, 9], 8, 1, 1), goneBack: m.stepFrom([7, 9], 8, -1, 1),
  open: m.nextOpen([1, 2, 3, 4], 3, (key) => key < 3), noneOpen: m.nextOpen([1, 2], 1, (key) => key === 1),
  span: m.span([5, 6, 7, 8], 8, 6),
};
"""

GRID = """
const seen = new Set(["0,0", "0,1", "1,1"]);
const grid = { rows: 2, cols: 3 };
const order = m.walkOrder(2, 3);
const size = { cell: 100, width: 250, height: 130 };
export default {
  order, isInverse: order.every((cell, n) => m.indexOf(cell, 3) === n),
  next: m.nextUnseen(seen, grid), after: m.nextUnseen(seen, { ...grid, from: [1, 2] }),
  round: m.nextUnseen(new Set(["1,0"]), { ...grid, from: [1, 0] }),
  none: m.nextUnseen(new Set(order.map(String)), grid),
  bounds: m.boundsOf([1, 2], size), at: m.cellAt([249, 129], size), outside: m.cellAt([250, 0], size),
};
"""


STORE = """
const { store } = m;
const finding = (key, type, status = "proposed") => ({ key, id: key, type, status, penalty: 9 - key, confidence: 1 });
const findings = [finding(1, "cloud"), finding(2, "blur"), finding(3, "cloud", "accepted"), finding(4, "blur")];
store.fill({ types: [] }, findings, {}, true);
let n = 0;
store.on("selection", () => (n += 1));
const seen = () => [[...store.selection], store.current];
store.select(1);
store.selectMany([1, 2, 3, 4]);
const [many, nOfMany] = [seen(), n - 1];
store.toggleFilter("types", "blur");
const blurs = seen();
store.toggleFilter("statuses", "proposed");
const same = seen();
store.toggleFilter("types", "blur");
store.select(1);
store.toggleFilter("types", "blur");
const first = seen();
store.toggleFilter("statuses", "proposed");
store.toggleFilter("statuses", "rejected");
const none = seen();
store.clearFilter();
store.select(4);
n = 0;
store.merge({ removed: [4] });
export default { many, nOfMany, blurs, same, first, none, gone: seen(), nOfGone: n };
"""


def results(tmp_path: Path, module: str, code: str) -> dict[str, Any]:
    """What a script makes of a module of the page."""
    shutil.copytree(PAGE, tmp_path / "page", ignore=shutil.ignore_patterns("vendor"))
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "asked.mjs").write_text(f'import * as m from "./page/{module}";\n' + code, "utf-8")
    command = 'import("./asked.mjs").then((asked) => console.log(JSON.stringify(asked.default)))'
    done = subprocess.run([str(NODE), "-e", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_order_filter_and_steps(tmp_path: Path) -> None:
    assert results(tmp_path, "order.js", ORDER) == {
        "penalty": [2, 3, 1, 4],
        "confidence": [2, 4, 3, 1],
        "place": [2, 1, 3, 4],  # to the right in the first strip, back in the second
        "reversed": [4, 1, 3, 2],
        "unfiltered": [1, 2, 3, 4],
        "clouds": [1, 2, 3],
        "accepted": [2],
        "both": [],
        "next": 9,
        "end": None,
        "gone": 9,
        "goneBack": 7,
        "none": None,
        "open": 1,
        "noneOpen": None,
        "span": [6, 7, 8],
    }


def test_walk(tmp_path: Path) -> None:
    assert results(tmp_path, "map/grid.js", GRID) == {
        "order": [[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]],
        "isInverse": True,
        "next": [0, 2],
        "after": [1, 0],
        "round": [0, 0],
        "none": None,
        "bounds": [200, 100, 250, 130],
        "at": [1, 2],
        "outside": None,
    }


def test_what_a_filter_hides_is_not_chosen_any_more(tmp_path: Path) -> None:
    assert results(tmp_path, "store.js", STORE) == {
        "many": [[1, 2, 3, 4], 1],
        "nOfMany": 1,  # one event, however many are chosen: the map draws all of them for each
        "blurs": [[2, 4], 2],
        "same": [[2, 4], 2],
        "first": [[2], 2],
        "none": [[], None],
        "gone": [[], None],
        "nOfGone": 1,  # what is shown of a finding goes with it
    }
