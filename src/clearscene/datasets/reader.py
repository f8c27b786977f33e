"""The one reader of all data sets: scenes as values and classes, whatever the download looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.catalog import open_layout
from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values
from clearscene.datasets.prepared_record import IGNORE, Cover
from clearscene.datasets.spec import Choice, DatasetSpec
from clearscene.errors import DatasetError
from clearscene.grid import slices

__all__ = ["DatasetReader", "OpenScene", "cover_of"]

CLEAR_BELOW, CLOUDY_ABOVE = 0.35, 0.65
"""Cover classes of Foga and others 2017: clear, mid-cloud, cloudy by share of cloud."""

ALMOST = 0.95
"""Share of the published scenes from which on a download counts as whole, if no file is known to be missing."""


@dataclass(frozen=True, eq=False)
class OpenScene:
    """A scene whose mask was read; its pixels are read by windows."""

    entry: SceneEntry
    mask: NDArray[np.uint8]
    """(row, col), places in the classes, 255 ignored; padding that the download has around scenes included."""
    window: tuple[int, int, int, int]
    """Top, left, height and width of the scene in `mask`."""
    cover: Cover | None
    footprint: tuple[float, float, float, float] | None
    bands: tuple[str, ...]
    layout: Layout

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Values (band, row, col) and mask (row, col) of a window inside `mask`.

        Law: where a pixel holds no data, the values are 0 and the mask is 255.
        """
        values: Values = self.layout.image(self.entry, self.bands, window)
        rows, cols = slices(window)
        return values.data, np.where(values.valid, self.mask[rows, cols], np.uint8(IGNORE))


class DatasetReader:
    """A data set in a folder.

    Law: what is read depends on the download, the bands and the classes, and on nothing else.
    """

    def __init__(self, layout: Layout, folder: Path, listing: Listing) -> None:
        self.layout, self.folder, self.listing = layout, folder, listing

    @classmethod
    def open(cls, name: str, folder: Path | str) -> "DatasetReader":
        """List the scenes of a data set by its name, or of one's own by the path of a .toml file.

        Raises:
            DatasetError: There is no such data set, or the folder holds nothing of it.
            MissingExtraError: Its format needs a package that is not installed.
        """
        layout = open_layout(name)
        return cls(layout, Path(folder), layout.find(Path(folder)))

    @property
    def spec(self) -> DatasetSpec:
        """What is known of the data set."""
        return self.layout.spec

    @property
    def entries(self) -> tuple[SceneEntry, ...]:
        """Scenes that are complete."""
        return self.listing.entries

    @property
    def missing(self) -> tuple[str, ...]:
        """What should be there and is not."""
        return self.listing.missing

    @property
    def fewer(self) -> tuple[str, ...]:
        """Counts well below what was published, one line each: a download of which a part is not there at all.

        A few less are no reason for alarm: users of some downloads report one or two that were never in them.
        """
        found = {"scenes": len(self.entries), **self.listing.counts}
        wanted = self.spec.expected
        return tuple(f"{found.get(k, 0)} of {n} {k}" for k, n in wanted.items() if found.get(k, 0) < ALMOST * n)

    def require_complete(self) -> None:
        """Refuse a download that is not complete.

        Raises:
            DatasetError: Something is missing; says how much, and the first of it.
        """
        if self.missing:
            some = ", ".join(self.missing[:3])
            raise DatasetError(
                f"{self.folder} lacks {len(self.missing)} of {self.spec.title}: {some}"
                + (", ..." if len(self.missing) > 3 else "."),
                hint=f"Finish the download ({self.spec.get}), or use --partial to go on with"
                f" the {len(self.entries)} scenes that are complete.",
            )
        if self.fewer and self.entries:
            raise DatasetError(
                f"{self.folder} holds {', '.join(self.fewer)} of {self.spec.title}.",
                hint=f"Finish the download ({self.spec.get}), or use --partial to go on with what is there.",
            )
        if not self.entries:
            raise DatasetError(f"{self.folder} holds no scene that is complete.", hint=self.spec.get)

    def scene(self, entry: SceneEntry, *, bands: Sequence[str] = (), classes: Choice = "own") -> OpenScene:
        """Read the mask of a scene, and open it for the rest.

        Raises:
            BandError, OptionError: The bands or classes do not fit the data set.
            DatasetError: A file is broken, or holds a code that the data set does not have.
        """
        chosen = self.spec.choose_bands(tuple(bands))
        codes, shape = self.layout.codes(entry), self.layout.shape(entry)
        if codes.shape != shape:
            raise DatasetError(f"{entry.id}: its mask {codes.shape} and its image {shape} differ in size.")
        return OpenScene(
            entry=entry,
            mask=self.spec.table(classes).decode(codes, entry.id),
            window=self.layout.scene_window(entry),
            cover=entry.cover or cover_of(self.spec, codes, entry.id),
            footprint=self.layout.footprint(entry),
            bands=chosen,
            layout=self.layout,
        )


def cover_of(spec: DatasetSpec, codes: NDArray[np.integer], place: str) -> Cover | None:
    """The cover class of a scene by the share of cloud, thin included, among the labeled pixels of `codes` (row, col).

    None of sets that are not about clouds, and where nothing is labeled.
    """
    if not spec.is_about_clouds or not any(label.cloud == "thick" for label in spec.labels):
        return None
    mask = spec.table("2").decode(codes, place)
    n_labeled = int((mask != IGNORE).sum())
    if not n_labeled:
        return None
    share = int((mask == 1).sum()) / n_labeled
    return "clear" if share < CLEAR_BELOW else "cloudy" if share > CLOUDY_ABOVE else "mid"
