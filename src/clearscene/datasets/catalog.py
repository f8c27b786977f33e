"""The data sets that are known by name, and their loaders, imported when they are asked for."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clearscene.datasets.layout import Layout
from clearscene.datasets.spec import DatasetSpec
from clearscene.errors import DatasetError

__all__ = ["NAMES", "is_points", "open_layout", "spec_of"]

HOME = "clearscene.datasets.layouts"
NO_OPTIONS: Mapping[str, Any] = {}
POINTS = ("pixbox-s2", "pixbox-l8")


def _load(module: str, attribute: str, method: str = "", options: Mapping[str, Any] = NO_OPTIONS) -> Layout:
    """Import a layout only when it is asked for; made by its class or by one of its methods."""
    made: Any = getattr(importlib.import_module(f"{HOME}.{module}"), attribute)
    layout: Layout = getattr(made, method)() if method else made(**options)
    return layout


_LOADERS: dict[str, Callable[[], Layout]] = {
    "landsat8-biome": partial(_load, "landsat8_biome", "Landsat8Biome"),
    "sparcs": partial(_load, "sparcs", "Sparcs"),
    "38-cloud": partial(_load, "cloud38", "Cloud38", "of_38"),
    "95-cloud": partial(_load, "cloud38", "Cloud38", "of_95"),
    "cloudsen12": partial(_load, "cloudsen12", "CloudSen12", options={"name": "cloudsen12"}),
    "cloudsen12-l2a": partial(_load, "cloudsen12", "CloudSen12", options={"name": "cloudsen12-l2a", "level": "l2a"}),
    "cloudsen12-scribble": partial(
        _load, "cloudsen12", "CloudSen12", options={"name": "cloudsen12-scribble", "is_scribble": True}
    ),
    "cloudsen12-plus": partial(_load, "cloudsen12_plus", "CloudSen12Plus"),
    "kappaset": partial(_load, "kappaset", "KappaSet"),
    "s2-cloud-mask-catalogue": partial(_load, "s2_catalogue", "S2Catalogue"),
    "hrc-whu": partial(_load, "hrc_whu", "HrcWhu"),
    "cloud-cover-challenge": partial(_load, "cloud_cover_challenge", "CloudCoverChallenge"),
    "city-osm": partial(_load, "city_osm", "CityOsm"),
    "ade20k-outdoors": partial(_load, "ade20k", "Ade20kOutdoors"),
}
NAMES = (*_LOADERS, *POINTS)
"""All names, in the order of lists."""


def is_points(name: str) -> bool:
    """True for sets of single pixels, which have no layout of images."""
    return name in POINTS


def open_layout(name: str) -> Layout:
    """The loader of a data set by name, or of one's own images and masks by the path of a .toml file.

    Raises:
        DatasetError: There is no such name, it is a set of points, or the file is wrong.
    """
    if name.endswith(".toml"):
        folders = importlib.import_module(f"{HOME}.folders")
        own: Layout = folders.Folders(folders.read_config(Path(name)))
        return own
    if name in _LOADERS:
        return _LOADERS[name]()
    if is_points(name):
        raise DatasetError(
            f"{name} is a set of points: there are no images to cut.",
            hint="Points are read with clearscene.datasets.layouts.pixbox.read_points.",
        )
    raise DatasetError(
        f"There is no data set {name!r}.",
        hint=f"There are {', '.join(NAMES)}; or a .toml file that describes your own.",
    )


def spec_of(name: str) -> DatasetSpec:
    """What is known of a data set; names and errors as `open_layout`, sets of points included."""
    if is_points(name):
        spec: DatasetSpec = importlib.import_module(f"{HOME}.pixbox").SPECS[name]
        return spec
    return open_layout(name).spec
