"""Our geometric median beside that of geomad, the engine of odc-algo, on real dates: agreement, and time as a ratio.

    pip install geomad
    python benchmarks/fusion_peers.py ../shared/data/dev/fusion_s2_30dates

Both get the same reflectance in memory, four bands, one thread, and take turns; seconds are those of the processor.
Distances are those of equation 1 of Roberts et al. (2017): the sum over dates that a geometric median makes smallest.
"""

import argparse
from pathlib import Path
from time import process_time

import numpy as np

from fusion_dates import SCALE, apart, read
from fusion_measures import classical, peer_geomedian
from table_text import Table, report

COLUMNS = (
    "dates", "largest difference", "mean difference", "sum of distances, ours / geomad, %", "seconds, ours",
    "seconds, geomad", "time, ours / geomad",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--dates", default="6,12,30")
    parser.add_argument("--held-out", default="", help="A date: the eight around it are fused and set against it.")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    peer = peer_geomedian()
    if peer is None:
        raise SystemExit("geomad is not installed")
    paths = sorted(options.data.glob("*.tif"))
    rows = []
    for number in (int(word) for word in options.dates.split(",")):
        chosen = np.linspace(0, len(paths) - 1, number).round().astype(int)
        stack = np.stack([read(paths[i]) for i in chosen]).astype(np.float32)
        rows.append(compared(stack, peer, options.turns))
    tables = [held_out(options.data / f"{options.held_out}.tif", paths, peer)] if options.held_out else []
    table = Table("geometric median; differences in units of 0.0001 reflectance", COLUMNS, tuple(rows))
    report([table, *tables], about={"pixels": stack[0, 0].size, "turns": options.turns}, path=options.json)


def held_out(reference: Path, paths: list[Path], peer) -> Table:
    """How far both are from a date that took no part, and from each other, and what that took once."""
    others = sorted((path for path in paths if path != reference), key=lambda path: apart(path, reference))[:8]
    stack, truth = np.stack([read(path) for path in others]).astype(np.float32), read(reference)
    made, seconds = {}, {}
    for name, method in (("ours", lambda s: classical("geomedian", s)), ("geomad", peer)):
        start = process_time()
        made[name] = method(stack)
        seconds[name] = process_time() - start
    rows = tuple(
        (
            name,
            float(np.sqrt(((stack - point) ** 2).sum(axis=1)).sum(axis=0).mean()),
            float(np.abs(point - truth).mean()),
            float(np.abs(point - made["geomad"]).mean()),
            seconds[name],
        )
        for name, point in made.items()
    )
    heads = ("method", "mean sum of distances", "L1 to the date", "L1 to geomad", "seconds")
    return Table(f"eight dates around {reference.stem}, reflectance", heads, rows)


def compared(stack: np.ndarray, peer, turns: int) -> tuple[float, ...]:
    """A row: differences, distances, and the least time of each."""
    seconds = np.empty((turns, 2))
    for turn in range(turns):
        for place, method in enumerate((lambda s: classical("geomedian", s), peer)):
            start = process_time()
            made = method(stack)
            seconds[turn, place] = process_time() - start
            if place == 0:
                ours = made
    apart = np.abs(ours - made)
    sums = [np.sqrt(((stack - point) ** 2).sum(axis=1)).sum() for point in (ours, made)]
    own, other = seconds.min(axis=0)
    largest, mean = (float(value) / SCALE for value in (apart.max(), apart.mean()))
    return len(stack), largest, mean, 100 * float(sums[0] / sums[1]), own, other, own / other


if __name__ == "__main__":
    main()
