"""Write `model.toml` from what was trained, calibrated and measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clearscene.inspection.taxonomy import BACKGROUND, BY_ID, BY_NAME, Group
from clearscene.models.manifest import (
    ClassEntry,
    InputSpec,
    Manifest,
    OutputSpec,
    ScreenSpec,
    load_manifest,
)
from clearscene.training.export.calibration import PixelCalibration, ScreenCalibration
from clearscene.training.export.settings import ExportSettings
from clearscene.training.export.toml_text import to_toml
from clearscene.training.networks.spec import MASK_CLASS_NAMES

__all__ = ["Answering", "make_manifest", "write_manifest"]


@dataclass(frozen=True)
class Answering:
    """What the network reads and what its numbers are about."""

    input: InputSpec
    types: tuple[str, ...]
    """Of the screening logits; empty without that head."""
    class_ids: tuple[int, ...]
    """Of the pixels, the background (0) first; (0,) without a segmenter."""
    task: Literal["inspection", "cloud_mask", "quality", "semantic"] = "inspection"
    names: tuple[str, ...] = ()
    """Of the classes of a semantic network."""

    @property
    def classes(self) -> dict[int, str]:
        """Names of the classes by id, in the order of the answers."""
        if self.task == "semantic":
            return dict(zip(self.class_ids, self.names, strict=True))
        if self.task == "cloud_mask":
            return {i: MASK_CLASS_NAMES[i] for i in self.class_ids}
        return {i: BY_ID[i].name if i != BACKGROUND else "background" for i in self.class_ids}


def make_manifest(
    answering: Answering,
    settings: ExportSettings,
    *,
    screen: ScreenCalibration | None,
    pixels: PixelCalibration | None,
    accuracy: Mapping[str, float | str],
) -> Manifest:
    """The manifest; a type whose threshold is not known gets the default, 0.5."""
    m = settings.model
    return Manifest(
        name=m.name,
        version=m.version,
        task=m.task or answering.task,
        license=m.license,
        description=m.description,
        input=answering.input.model_copy(update={"ground_sample_distance_m": m.ground_sample_distance_m}),
        tiles=settings.tiles,
        output=OutputSpec(temperature=pixels.temperature if pixels else settings.calibration.quality_temperature),
        classes=_classes(answering.classes, settings, pixels),
        screen=_screen(answering.types, settings, screen),
        training_data=settings.data,
        accuracy={**accuracy, **settings.card.accuracy},
    )


def write_manifest(manifest: Manifest, folder: Path) -> Manifest:
    """Write `model.toml` into `folder` and read it back. Law: what is read equals what was given."""
    values = manifest.model_dump(mode="json", exclude_none=True)
    (folder / "model.toml").write_text(to_toml(values), encoding="utf-8")
    read = load_manifest(folder)
    assert read == manifest, "model.toml does not say what the manifest says"
    return read


def _classes(
    names: Mapping[int, str], settings: ExportSettings, pixels: PixelCalibration | None
) -> tuple[ClassEntry, ...]:
    thresholds = pixels.thresholds if pixels else (0.0,) * len(names)
    return tuple(
        ClassEntry(
            id=i,
            name=name,
            threshold=threshold,
            region_threshold=settings.calibration.region_thresholds.get(name, 0.0),
            scales=settings.scales.get(name, "native"),
        )
        for (i, name), threshold in zip(names.items(), thresholds, strict=True)
    )


def _screen(types: Sequence[str], settings: ExportSettings, screen: ScreenCalibration | None) -> ScreenSpec | None:
    if not types:
        return None
    found = screen.thresholds if screen else (None,) * len(types)
    return ScreenSpec(
        types=tuple(types),
        thresholds={name: value for name, value in zip(types, found, strict=True) if value is not None},
        temperature=screen.temperature if screen else 1.0,
        silent=tuple(name for name in settings.silent if name in types),
        scales={
            name: rule
            for name, rule in settings.scales.items()
            if name in types and BY_NAME[name].group is Group.BOUNDARY
        },
    )
