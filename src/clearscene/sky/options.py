"""What a user can choose for sky masks, checked before a photo is read."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from clearscene.errors import OptionError

__all__ = ["DEFAULT_MODEL", "TARGETS", "SkyOptions", "Target"]

DEFAULT_MODEL = "sky"
Target = Literal["metashape", "colmap", "odm", "plain"]
TARGETS: tuple[Target, ...] = get_args(Target)


@dataclass(frozen=True)
class SkyOptions:
    """How photos are masked. Every default is written here and nowhere else."""

    model: str = DEFAULT_MODEL
    """Name of a shipped model, or a model folder."""
    target: Target = "metashape"
    """Which tool reads the masks: decides their names. All take 255 as keep and 0 as sky."""
    threshold: int = 128
    """Sky from this probability on, in 256ths."""
    refine: bool = True
    """Follow the edges of the photo where the network is coarse."""
    mirror: bool = True
    """Look at the mirrored photo too, and take the mean."""
    check: bool = True
    """Leave a photo without credible sky unmasked: no sky at all is right more often than specks of it."""
    invert: bool = False
    """255 for sky, 0 for what is kept."""
    heatmap: bool = False
    """Also write `<name>_sky.jpg`, the photo with the probability of sky over it."""
    merge: Path | None = None
    """Folder of masks that are there already, under any name that this command knows; what either hides is hidden."""
    device: str = "auto"
    """Where the network runs: auto, cpu, cuda, openvino."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Threads of the network."""

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise OptionError(f"--for {self.target!r} is not known.", hint=f"Choose {', '.join(TARGETS)}.")
        if not 1 <= self.threshold <= 255:
            raise OptionError(f"--threshold {self.threshold} is not from 1 to 255.", hint="128 is an even chance.")
        if self.merge is not None and not self.merge.is_dir():
            raise OptionError(f"--merge {self.merge} is not a folder.", hint="Name the folder of the masks.")
        if self.workers < 1:
            raise OptionError(f"--workers {self.workers} is less than 1.")

    def record(self) -> dict[str, str | int | bool]:
        """What bears on the masks of all photos; which mask was merged is noted for each photo."""
        return {
            "model": self.model,
            "for": self.target,
            "threshold": self.threshold,
            "refine": self.refine,
            "mirror": self.mirror,
            "check": self.check,
            "invert": self.invert,
        }
