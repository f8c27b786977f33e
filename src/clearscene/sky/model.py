"""The network for sky, as photos need it: a photo in, a probability for each pixel out."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.models.model import Model, softmax
from clearscene.models.zoo import find_model
from clearscene.sky.guided import refined
from clearscene.sky.options import SkyOptions
from clearscene.sky.squaring import resized, squared

__all__ = ["SKY", "SkyModel"]

SKY = "sky"
"""Name of the class, and of the task."""


class SkyModel:
    """A model folder whose task is sky. May be called from several threads at once.

    Raises:
        ModelError: The model is for something else, or reads other bands than red, green, blue.
    """

    def __init__(self, model: Model) -> None:
        self.model, manifest = model, model.manifest
        names = [entry.name for entry in manifest.classes]
        if manifest.task != "sky" or SKY not in names or len(manifest.input.bands) != 3:
            raise ModelError(
                f"Model {manifest.name} is for {manifest.task}, with the classes {names}.",
                hint="Name a model whose task is sky, which reads red, green, blue and has a class sky.",
            )
        self._sky = names.index(SKY)

    @classmethod
    def load(cls, options: SkyOptions) -> Self:
        """The model that the options name.

        Raises:
            ModelError: There is no such model, or it is not for sky.
        """
        info = find_model(options.model)
        return cls(Model.load(info.folder, device=options.device, threads=options.workers))

    @property
    def name(self) -> str:
        """Name and version."""
        return f"{self.model.manifest.name} {self.model.manifest.version}"

    def look(self, photo: NDArray[np.uint8], *, mirror: bool = True) -> NDArray[np.float32]:
        """Probability of sky (row, col) at the size of the network, of an upright photo (row, col, 3).

        With `mirror` the mean with that of the mirrored photo. Law: then a mirrored photo has the mirrored map.
        """
        square = squared(photo, self.model.manifest.tiles.tile_size)
        found = self._asked(square)
        if mirror:
            found = (found + self._asked(square[:, ::-1])[:, ::-1]) * np.float32(0.5)
        return np.ascontiguousarray(found, np.float32)

    def at_edges(
        self, photo: NDArray[np.uint8], coarse: NDArray[np.float32], *, refine: bool = True
    ) -> NDArray[np.float32]:
        """What `look` gave, (row, col), at the size of the photo (row, col, 3); with `refine` along its edges."""
        return refined(photo, coarse) if refine else resized(coarse, *photo.shape[:2])

    def _asked(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(square.transpose(2, 0, 1))
        prepared = self.model.prepare(planes, np.ones(square.shape[:2], bool))
        chances: NDArray[np.float32] = softmax(self.model.segment(prepared))[self._sky]
        return chances
