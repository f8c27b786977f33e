"""What an inspection needs besides the scene, and who looks for what in one scene."""

from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS

from clearscene.errors import OptionError
from clearscene.grid import Grid
from clearscene.inspection.describe import describe_scene
from clearscene.inspection.learned import load_model, model_types
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.report_texts import say
from clearscene.inspection.result import Report, SceneInfo
from clearscene.inspection.satellite import CloudWitness, load_witness
from clearscene.inspection.standard import Standard, load_standard
from clearscene.inspection.taxonomy import BY_NAME, DefectType
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.raster.scene import Scene
from clearscene.raster.sensors.placing import pixel_size_m
from clearscene.rules.misalignment import MisalignmentRule
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import Rule
from clearscene.rules.seam import SeamRule
from clearscene.rules.stripe import StripeRule

__all__ = ["Inspector", "Lookers", "prepare"]


@dataclass(frozen=True)
class Inspector:
    """What an inspection needs besides the scene: made once, used for every scene of a batch."""

    options: InspectOptions
    standard: Standard
    rules: dict[str, Rule]
    """By the name of the type that the rule finds."""
    seams: tuple[SeamRule | MisalignmentRule, ...]
    """Look at the whole scene, each unless the model finds the same; those that are wanted."""
    model: Model | None
    """For the region and boundary types; None if no model is installed or none is needed."""
    learned_types: tuple[DefectType, ...]
    """What the model is asked for."""
    witness: CloudWitness | None = None
    """Looks for clouds and shadows of satellite images too, confirms shadows on finer ones; None if it is not wanted
    or not there."""

    def lacks_witness(self, done: Report) -> bool:
        """True if a scene of colors was inspected without the model for cloud masks, which would look at it now."""
        looked = {d.name for d in done.detectors if d.kind == "model"}
        if self.witness is None or not looked or f"model:{self.witness.name}" in looked:
            return False
        scene = done.scene
        crs = CRS.from_user_input(scene.crs) if scene.crs else None
        looks = self.witness.fits(Grid(scene.height, scene.width, Affine(*scene.transform), crs))
        return looks or (self.witness.doubts and any(f.type == "shadow" for f in done.findings))

    @property
    def model_versions(self) -> dict[str, str]:
        """Version by the name of a model."""
        own = {} if self.model is None else {self.model.manifest.name: self.model.manifest.version}
        return own if self.witness is None else {**own, **self.witness.versions}


def prepare(options: InspectOptions) -> Inspector:
    """Load the standard and the detectors, so that every mistake in the options shows before work starts.

    Raises:
        StandardError: The standard is wrong.
        ModelError: The model is broken.
        OptionError: No detector can find any of the types that are wanted.
    """
    every: tuple[Rule, ...] = (StripeRule(mode=options.stripe_mode), MissingRule(mode=options.missing_mode))
    wanted = {defect.name for defect in options.types}
    standard, model = load_standard(options.standard), load_model(options)
    rules = {rule.name: rule for rule in every if rule.name in wanted}
    learned_types = model_types(model, options.types)
    seams = tuple(rule for rule in (SeamRule(), MisalignmentRule()) if rule.name in wanted)
    witness = load_witness(options)
    if not rules and not seams and not learned_types and witness is None:
        raise OptionError(
            f"Nothing here can find {', '.join(sorted(wanted))}.",
            hint="Name a model that can with --model, or leave --types out; `clearscene models` lists what is there.",
        )
    return Inspector(
        options=options,
        standard=standard,
        rules=rules,
        seams=seams,
        model=model,
        learned_types=learned_types,
        witness=witness,
    )


@dataclass(frozen=True)
class Lookers:
    """Those of an inspector who look at one scene: models sit out a scene that lacks the bands they read."""

    scene: Scene
    inspector: Inspector

    @property
    def shown_bands(self) -> tuple[str, ...]:
        """Names of the bands that detectors see: red, green and blue, or one gray."""
        return ("red", "green", "blue") if self.scene.is_color else ("gray",)

    @property
    def lacking_bands(self) -> tuple[str, ...]:
        """The bands that the model reads, if the scene cannot show them all."""
        model = self.inspector.model
        if model is None or tuple(model.manifest.input.bands) == self.shown_bands:
            return ()
        return tuple(model.manifest.input.bands)

    @property
    def model(self) -> Model | None:
        """The inspection model, if it looks at this scene for anything."""
        return self.inspector.model if self.inspector.learned_types and not self.lacking_bands else None

    @property
    def witness(self) -> CloudWitness | None:
        """Who looks for clouds and shadows once more, if this is the scene of a satellite."""
        witness = self.inspector.witness
        return witness if witness and self.scene.is_color and witness.fits(self.scene.grid) else None

    @property
    def doubter(self) -> CloudWitness | None:
        """Who gives a second opinion on the shadows that the model finds, where nobody looks once more."""
        return self.inspector.witness if self.model is not None and self.witness is None else None

    @property
    def silent(self) -> tuple[str, ...]:
        """Types that the model answers for, but did not learn well enough to be asked."""
        screen = self.inspector.model.manifest.screen if self.inspector.model else None
        return screen.silent if screen else ()

    @property
    def by_model(self) -> dict[int, str]:
        """The types that models find in this scene, by type id."""
        model, witness = self.model, self.witness
        found = {} if model is None else {t.id: f"model:{model.manifest.name}" for t in self.inspector.learned_types}
        if witness is not None:
            for kind in witness.types:
                found[kind.id] = " + ".join([*([found[kind.id]] if kind.id in found else []), f"model:{witness.name}"])
        return found

    @property
    def seam_rules(self) -> list[SeamRule | MisalignmentRule]:
        """Those whose type no model finds."""
        by_model = self.by_model
        return [rule for rule in self.inspector.seams if BY_NAME[rule.name].id not in by_model]

    def described(self, viewer: SceneViewer) -> SceneInfo:
        """The facts of the scene, with what to know about how the models fit it."""
        info, model, witness = describe_scene(self.scene, viewer), self.inspector.model, self.inspector.witness
        size, notes = pixel_size_m(self.scene.grid), [*info.notes]
        if not self.scene.is_color or not self.by_model:
            return info
        if size is None and witness is not None and not witness.is_asked:
            notes.append(say("size_unknown"))
        limits = model.manifest.input.ground_sample_distance_m if model is not None else None
        if size is not None and limits is not None and not limits[0] * 0.9 <= max(size) <= limits[1] * 1.1:
            low, high = (f"{limit:g}" for limit in limits)
            notes.append(say("pixel_range", f"{max(size):.3g}", low, high, model.manifest.name if model else ""))
        return info.model_copy(update={"notes": notes})
