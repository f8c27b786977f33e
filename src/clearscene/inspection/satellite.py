"""Clouds and cloud shadows, looked at once more by the model for cloud masks.

The inspection model sees red, green and blue as displayed, of pixels from centimeters on, and what it knows of shadows
are those of drawn clouds: of the shadows on satellite images it finds hardly any. The model for cloud masks was taught
on such images, and near infrared tells shadow from water. Where pixels are large enough both look, and what the second
one is sure of is added where the first one found nothing (docs/adr/0014-satellite-images-by-two-models.md).

On finer pixels nothing is added, but a shadow that the second one does not see at all is dropped: gaps between crowns
are no cloud shadow (docs/adr/0016-a-second-opinion-on-shadows.md).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.grid import Grid
from clearscene.inspection.clean import sure_regions
from clearscene.inspection.learned import Learned
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.result import Detector
from clearscene.inspection.taxonomy import BY_NAME, DefectType
from clearscene.inspection.viewer import SceneViewer
from clearscene.masking.choose import load_masker
from clearscene.masking.classes import SHADOW, THICK
from clearscene.masking.engine import mask_pieces, plan_for
from clearscene.masking.fitting import fitted
from clearscene.masking.masker import Masker
from clearscene.masking.options import MaskOptions
from clearscene.models.zoo import available_models
from clearscene.raster.pixels import Pixels
from clearscene.raster.sensors.placing import pixel_size_m
from clearscene.raster.sensors.product import Kind
from clearscene.runs import Runs

__all__ = [
    "LEAST",
    "SATELLITE_M",
    "SEEN_AT_ALL",
    "CloudWitness",
    "add_clouds",
    "doubt_shadows",
    "load_witness",
    "with_added",
]

SATELLITE_M = 5.0
"""Pixels of this area on are those of a satellite; finer ones show shadows of trees and houses, which are no defect."""
LEAST = 0.6
"""Probability from which on cloud or shadow is added (docs/adr/0014-satellite-images-by-two-models.md)."""
SEEN_AT_ALL = 0.05
"""Mean probability of shadow from which on a shadow on finer pixels is kept
(docs/adr/0016-a-second-opinion-on-shadows.md)."""

CLASSES = 3
KINDS = {THICK: BY_NAME["cloud"], SHADOW: BY_NAME["shadow"]}
"""Type by class of a mask of three classes: clear, cloud, shadow."""


@dataclass(frozen=True)
class CloudWitness:
    """The model for cloud masks, asked beside the inspection model."""

    masker: Masker
    options: MaskOptions
    types: tuple[DefectType, ...]
    """Those of cloud and shadow that are wanted."""
    is_asked: bool = False
    """True: look at scenes of any pixel size, and of none."""
    least: float = LEAST
    """Probability from which on cloud or shadow is added."""

    def fits(self, grid: Grid) -> bool:
        """Whether a scene is to be looked at."""
        size = pixel_size_m(grid)
        return self.is_asked or (size is not None and math.sqrt(size[0] * size[1]) >= SATELLITE_M)

    @property
    def doubts(self) -> bool:
        """Whether it is asked about shadows on finer pixels."""
        return KINDS[SHADOW] in self.types

    def find(self, viewer: SceneViewer, *, progress: Callable[[float], None]) -> dict[int, Runs]:
        """Runs by type id, weighted by probability, of what the model is sure of; `progress` as for models.

        Raises:
            OptionError: The memory limit does not hold a tile.
            ModelError: The model answers nonsense.
        """
        source = DisplaySource(viewer)
        masker = fitted(self.masker, self.options, bands=source.bands, pixel=pixel_size_m(source.grid))
        parts: dict[int, list[Runs]] = {kind.id: [] for kind in self.types}
        plan = plan_for(source, masker, self.options)
        for piece in mask_pieces(source, masker, classes=CLASSES, plan=plan, progress=progress):
            row, col = round(piece.window.row_off), round(piece.window.col_off)
            for plane, (number, kind) in enumerate(KINDS.items(), start=1):
                if kind.id in parts:
                    chance = piece.probabilities[plane]
                    sure = (piece.class_map == number) & (chance >= self.least)
                    parts[kind.id].append(Runs.from_mask(sure, chance, row=row, col=col))
        return {type_id: Runs.union(found) for type_id, found in parts.items()}

    def seen(self, viewer: SceneViewer, found: Runs, *, progress: Callable[[float], None]) -> Runs:
        """Those regions of shadows `found` that it sees at all: their mean probability is `SEEN_AT_ALL` or more.

        Only tiles that meet one are looked at. Laws: a region is kept whole or not at all; the answer is that of a look
        at the whole scene.

        Raises:
            OptionError: The memory limit does not hold a tile.
            ModelError: The model answers nonsense.
        """
        if not len(found):
            return found
        source = NearSource(viewer, around=found)
        shadow, parts = list(KINDS).index(SHADOW) + 1, []
        plan = plan_for(source, self.masker, self.options)
        for piece in mask_pieces(source, self.masker, classes=CLASSES, plan=plan, progress=progress):
            here = found.to_mask(piece.window)
            if here.any():
                row, col = round(piece.window.row_off), round(piece.window.col_off)
                parts.append(Runs.from_mask(here, piece.probabilities[shadow], row=row, col=col))
        return found.intersection(sure_regions(Runs.union(parts), SEEN_AT_ALL))

    @property
    def name(self) -> str:
        """Of the model."""
        return " and ".join(origin.name for origin in self.masker.traits.origins)

    @property
    def versions(self) -> dict[str, str]:
        """Version by name."""
        return {self.name: self.masker.traits.origins[0].version}

    def describe(self, bands: Sequence[str], *, types: Sequence[DefectType], done: Mapping[str, float]) -> Detector:
        """For the report: what it is, the bands it saw, the types it was asked about, and what it did."""
        origin = self.masker.traits.origins[0]
        return Detector(
            name=f"model:{self.name}",
            kind="model",
            types=[kind.name for kind in types],
            version=origin.version,
            parameters={"provider": origin.provider, "bands": ", ".join(bands), **done},
        )


@dataclass(frozen=True, eq=False)
class DisplaySource:
    """A scene as it is displayed, near infrared stretched like the colors: a source for maskers."""

    viewer: SceneViewer
    kind: Kind = "display"

    @property
    def path(self) -> str:
        """See `Source`."""
        return self.viewer.scene.path

    @property
    def grid(self) -> Grid:
        """See `Source`."""
        return self.viewer.scene.grid

    @property
    def bands(self) -> tuple[str, ...]:
        """See `Source`."""
        return ("red", "green", "blue", *(["nir"] if "nir" in self.viewer.scene.bands else []))

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """See `Source`: 0 to 1, and what can not be read is not valid."""
        size = round(window.height), round(window.width)
        shown, valid = self.viewer.display(window, size, bands=bands if "nir" in bands else None)
        return Pixels(_as_share(shown), valid)


@dataclass(frozen=True, eq=False)
class NearSource(DisplaySource):
    """The same, with data only in windows that meet something: masking leaves out tiles without data."""

    around: Runs = field(default_factory=Runs.empty)

    def read(self, window: Window, *, bands: Sequence[str]) -> Pixels:
        """See `Source`."""
        if len(self.around.within(window)):
            return super().read(window, bands=bands)
        shape = round(window.height), round(window.width)
        return Pixels(np.zeros((len(bands), *shape), np.float32), np.zeros(shape, np.bool_))


def _as_share(shown: NDArray[np.uint8]) -> NDArray[np.float32]:
    return shown.astype(np.float32) / np.float32(255)


def load_witness(options: InspectOptions) -> CloudWitness | None:
    """The shipped model for cloud masks, where the options let it be asked; None if not, or it is not there.

    Raises:
        OptionError: It is asked for by name, and is not there or has nothing to look for.
        ModelError: It is broken.
        MissingExtraError: The device is not there.
    """
    wanted = tuple(kind for kind in KINDS.values() if kind in options.types)
    masking = MaskOptions(device=options.device, workers=options.workers, memory_limit_mb=options.memory_limit_mb)
    is_there = any(info.manifest.name in masking.models for info in available_models())
    if options.satellite and not (wanted and is_there):
        why = f"the model {' and '.join(masking.models)} is not installed" if wanted else "--types names neither"
        raise OptionError(f"--satellite looks for clouds and shadows, and {why}.", hint="Leave out --satellite.")
    is_open = options.satellite is None and options.model is None
    if not (wanted and is_there and (is_open or options.satellite)):
        return None
    return CloudWitness(load_masker(masking), masking, wanted, is_asked=bool(options.satellite))


def with_added(first: Mapping[int, Runs], second: Mapping[int, Runs]) -> tuple[dict[int, Runs], dict[int, int]]:
    """What one detector found, with what another one found where the first found nothing; and pixels added by type id.

    Laws: what was in `first` stays, under its type; if no pixel of `first` had two types, none has two afterwards (as
    long as that holds for `second`); with nothing in `second` nothing changes.
    """
    taken = Runs.union(first.values())
    fresh = {type_id: runs.difference(taken) for type_id, runs in second.items()}
    joint = {type_id: Runs.union([first.get(type_id, Runs.empty()), runs]) for type_id, runs in fresh.items()}
    return {**first, **joint}, {type_id: runs.area for type_id, runs in fresh.items()}


def add_clouds(
    learned: Learned,
    witness: CloudWitness,
    viewer: SceneViewer,
    *,
    inside: Runs,
    progress: Callable[[float], None],
) -> Learned:
    """What the inspection model found in a scene, and what the witness adds to it among the inspected pixels `inside`.

    Raises:
        ClearsceneError: As `CloudWitness.find`.
    """
    seen = witness.find(viewer, progress=progress)
    found, added = with_added(learned.found, {type_id: runs.intersection(inside) for type_id, runs in seen.items()})
    own, other = (f"model:{witness.name}", " + ".join(d.name for d in learned.detectors))
    found_by = {}
    for type_id, n_added in added.items():
        before = len(learned.found.get(type_id, Runs.empty())) > 0
        found_by[type_id] = " + ".join([*([other] if before else []), *([own] if n_added or not before else [])])
    done = {"least probability": witness.least} | {f"{t.name} added, px": added.get(t.id, 0) for t in witness.types}
    described = witness.describe(DisplaySource(viewer).bands, types=witness.types, done=done)
    return Learned(found, [*learned.detectors, described], found_by)


def doubt_shadows(
    learned: Learned, witness: CloudWitness, viewer: SceneViewer, *, progress: Callable[[float], None]
) -> Learned:
    """What the inspection model found in a scene, without the shadows that the witness does not see at all.

    Raises:
        ClearsceneError: As `CloudWitness.seen`.
    """
    kind = KINDS[SHADOW]
    found = learned.found.get(kind.id, Runs.empty())
    if not witness.doubts or not len(found):
        return learned
    seen = witness.seen(viewer, found, progress=progress)
    done = {"least mean probability": SEEN_AT_ALL, f"{kind.name} dropped, px": found.area - seen.area}
    described = witness.describe(DisplaySource(viewer).bands, types=(kind,), done=done)
    return Learned({**learned.found, kind.id: seen}, [*learned.detectors, described], learned.found_by)
