"""Reading any raster by windows, what is valid in it, its collar, and writing COGs."""

from clearscene.raster.pixels import Pixels
from clearscene.raster.scene import Scene, open_scene

__all__ = ["Pixels", "Scene", "open_scene"]
