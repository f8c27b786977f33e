"""What turns a tile of reflectance into probabilities, and the masker made of a model folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import BandError, ModelError
from clearscene.masking.augmentation import LookCount, adaptive_mean
from clearscene.masking.classes import IDS
from clearscene.masking.normalize import BANDS, normalize
from clearscene.masking.saturated import filled_by_rim
from clearscene.models.model import Model, enlarge, pad, softmax
from clearscene.raster.sensors.product import Kind

__all__ = [
    "NAME_BANDS",
    "SMALLEST",
    "Masker",
    "ModelMasker",
    "Origin",
    "Planes",
    "Traits",
    "by_names",
    "grown",
    "log_softmax",
    "select_bands",
]

Planes = Mapping[str, NDArray[np.float32]]
"""Reflectance (row, col) of a tile by the common name of the band."""

SMALLEST = np.float32(1e-30)
"""Probability that stands for 0 where a logarithm is taken."""

NAME_BANDS = (
    "Name bands with --bands (in Python bands=), as red=3,green=2,blue=1,nir=4, or use another --model (models=)."
)
"""What helps where the bands of a scene have no names."""


@dataclass(frozen=True)
class Origin:
    """A model that takes part, for the record."""

    name: str
    version: str
    license: str = ""
    provider: str = ""
    """What runs the networks."""
    link: str = ""
    """Address of the model's own description; may be empty."""


@dataclass(frozen=True)
class Traits:
    """What is fixed about a masker."""

    origins: tuple[Origin, ...]
    bands: tuple[str, ...]
    """Common names of what it reads."""
    tile_size: int
    """Height and width of a tile in pixels of the scene."""
    network_size: int
    """Height and width of what the network sees of a tile."""
    optional: frozenset[str] = frozenset()
    """Those of `bands` that a scene may lack."""
    classes: frozenset[int] = frozenset(IDS)
    """Those of the four classes that it knows."""
    thresholds: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """Probability that each of `IDS` needs to win."""
    overlap: int | None = None
    """Pixels that tiles share; None is a fifth."""
    pixel_range_m: tuple[float, float] | None = None
    """Smallest and largest pixel it is meant for, meters."""
    kinds: frozenset[Kind] = frozenset(("toa", "surface", "display"))
    """What its reflectance may be."""
    has_further_looks: bool = False
    """True if it looks at coarse pixels enlarged, and at fine ones by wide pixels besides, unless the options say
    otherwise: networks that see tiles by their bright level, as the shipped one does."""


class Masker(Protocol):
    """Anything that masks tiles."""

    @property
    def traits(self) -> Traits:
        """What is fixed about it."""
        ...

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """What looking at tiles has cost so far."""
        ...

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """Probabilities (class, row, col) of `IDS`, sum 1, for a tile of at most `tile_size`; any thread may call."""
        ...


def select_bands(traits: Traits, offered: Sequence[str], what: str, *, hint: str = NAME_BANDS) -> tuple[str, ...]:
    """The bands to read from a scene that offers these, in the masker's order; `what` names the scene.

    Raises:
        BandError: One is lacking that the masker cannot do without; `hint` says what to do.
    """
    lacking = [name for name in traits.bands if name not in offered and name not in traits.optional]
    if lacking:
        raise BandError(
            f"{what} lacks {', '.join(lacking)}, which {by_names(traits, 'read')}; it has {', '.join(offered)}.",
            hint=hint,
        )
    return tuple(name for name in traits.bands if name in offered)


def by_names(traits: Traits, verb: str) -> str:
    """The models by their names and what they do, as `ukis-4b reads` or `ukis-4b and ukis-6b read`."""
    names = list(dict.fromkeys(origin.name for origin in traits.origins))
    return f"{' and '.join(names)} {verb}{'s' if len(names) == 1 else ''}"


@dataclass(frozen=True, eq=False)
class ModelMasker:
    """A model folder whose task is cloud_mask.

    Class ids of its manifest are those of `IDS`; a class that it does not know has probability 0. With the
    normalization `bright_level`, NIR may be absent; see `clearscene.masking.normalize`.
    """

    model: Model
    depth: int = 0
    """Most further looks at a tile."""
    count: LookCount = field(default_factory=LookCount)
    traits: Traits = field(init=False)

    def __post_init__(self) -> None:
        _check(self.model)
        object.__setattr__(self, "traits", _traits(self.model))

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return (self.count,)

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`.

        Raises:
            ModelError: The network answers with a wrong shape or with numbers that are not finite.
        """
        size, (height, width) = self.traits.tile_size, valid.shape
        pixels = np.stack([planes[name] for name in self.traits.bands if name in planes])
        if _is_by_level(self.model):
            image = pad(normalize(pixels, valid, kind=kind), size)[None]
        else:
            image = self.model.prepare(pixels, valid)
        found = adaptive_mean(
            lambda tile: log_softmax(self.model.answer(tile)), image, depth=self.depth, count=self.count
        )
        full = np.zeros((len(IDS), height, width), np.float32)
        full[[entry.id for entry in self.model.manifest.classes]] = grown(found, size)[:, :height, :width]
        return filled_by_rim(full, pixels[:3], valid, kind=kind) if _is_by_level(self.model) else full


def _is_by_level(model: Model) -> bool:
    return model.manifest.input.normalization == "bright_level"


def _check(model: Model) -> None:
    """Refuse what is no cloud mask."""
    manifest = model.manifest
    unknown = [entry.id for entry in manifest.classes if entry.id not in IDS]
    if manifest.task != "cloud_mask" or unknown:
        said = f"has the classes {unknown}" if unknown else f"is a model for {manifest.task}"
        raise ModelError(
            f"{model.folder} {said}, which is no cloud mask.",
            hint="A model for `mask` has task cloud_mask and ids 0 clear, 1 thick cloud, 2 thin cloud, 3 shadow.",
        )
    if _is_by_level(model) and manifest.input.bands != BANDS:
        raise ModelError(
            f"{model.folder}: the normalization bright_level is of {', '.join(BANDS)}; the manifest names"
            f" {', '.join(manifest.input.bands)}.",
            hint="Name these four bands, or choose fixed or per_tile.",
        )


def _traits(model: Model) -> Traits:
    manifest, folder = model.manifest, model.folder
    described = next((folder / name for name in ("mlm.json", "card.md") if (folder / name).is_file()), None)
    link = described.resolve().as_uri() if described else ""
    thresholds = {entry.id: entry.threshold for entry in manifest.classes}
    return Traits(
        origins=(Origin(manifest.name, manifest.version, manifest.license, model.provider, link),),
        bands=tuple(manifest.input.bands),
        tile_size=manifest.tiles.tile_size,
        network_size=manifest.tiles.tile_size,
        optional=frozenset(("nir",)) if _is_by_level(model) else frozenset(),
        classes=frozenset(thresholds),
        thresholds=tuple(thresholds.get(number, 0.0) for number in IDS),
        overlap=manifest.tiles.overlap,
        pixel_range_m=manifest.input.ground_sample_distance_m,
        has_further_looks=_is_by_level(model),
    )


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of the probabilities of logits (class, row, col). Law: their exponentials are `softmax`."""
    shifted = logits - logits.max(axis=0)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=0)))


def grown(logs: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Probabilities (class, row, col) at the size of the tile, from logarithms of a network with a coarser output.

    Law: for one look they are the softmax of the logits brought to that size, as the network was trained,
    because logarithms of probabilities differ from logits by the same number in every class.
    """
    return softmax(enlarge(logs, size))
