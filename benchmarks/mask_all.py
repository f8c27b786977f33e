"""All that is measured of cloud masks, one command: peers, accuracy, calibration, looks, complaints, speed.

    python benchmarks/mask_all.py ../shared/data --out out/mask.md [--peers SITE_PACKAGES] [--halves select,report]

Runs the benchmarks of masks one after the other, shows what they print and writes it as one Markdown file, each with
the command that repeats it. `--peers` names the site-packages of an environment with ukis-csmask and s2cloudless:
their masks are then made anew and their speed is measured; without, masks that lie in `--peer-masks` are used, and
what is missing is said. The report half is for when nothing is left to choose. Ends with 1 if a benchmark failed.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Step:
    """One benchmark."""

    title: str
    words: tuple[str, ...]
    """Script and arguments."""
    environment: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Run all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/mask.md"))
    parser.add_argument("--peers", default="", help="site-packages that holds ukis_csmask and s2cloudless.")
    parser.add_argument("--peer-masks", type=Path, default=Path("out/peer-masks"))
    parser.add_argument("--halves", default="select")
    parser.add_argument("--folder", default="out/mask-speed", help="Where scenes for speed are generated.")
    parser.add_argument("--size", default="2048")
    parser.add_argument("--memory", default="1000,5000,20000", help="Empty: none.")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    failed = []
    with args.out.open("w", encoding="utf-8") as file:
        file.write("# Cloud masks, measured\n")
        for step in steps(args):
            status = run(step, file)
            failed += [step.title] if status else []
    print(f"\n{args.out}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    raise SystemExit(1 if failed else 0)


def steps(args: argparse.Namespace) -> Iterator[Step]:
    """What runs, by what was asked for; masks of peers that are there by then are compared with."""
    dev, masks = str(args.data / "dev"), str(args.peer_masks)
    if args.peers:
        yield Step("Masks of peers", ("peer_masks.py", dev, "--out", masks), {"PYTHONPATH": args.peers})
    peers = ("--peers", masks) if args.peer_masks.is_dir() else ()
    if not peers:
        print("No masks of peers: accuracy is measured without them. --peers names an environment that has them.")
    for half in args.halves.split(","):
        yield Step(f"Accuracy, {half} half", ("mask_accuracy.py", dev, "--half", half, *peers))
    yield Step("Calibration", ("mask_calibration.py", dev))
    yield Step("Further looks", ("mask_looks.py", dev))
    yield Step("Complaints", ("mask_complaints.py", str(args.data), "--fine"))
    yield Step("Drawn, no cloud", ("mask_drawn.py",))
    speed = ("mask_speed.py", "--folder", args.folder, "--size", args.size, "--memory", args.memory)
    yield Step("Speed", (*speed, *(("--peers", args.peers) if args.peers else ())))


def run(step: Step, file: TextIO) -> int:
    """Run a benchmark, show and keep what it prints, line by line; its exit status."""
    print(f"\n== {step.title}", flush=True)
    file.write(f"\n## {step.title}\n\n```\npython benchmarks/{shlex.join(step.words)}\n```\n\n")
    command = [sys.executable, str(HERE / step.words[0]), *step.words[1:]]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **step.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            file.write(line)
            file.flush()
    if process.returncode:
        file.write(f"\nFailed with exit status {process.returncode}.\n")
    return process.returncode


if __name__ == "__main__":
    main()
