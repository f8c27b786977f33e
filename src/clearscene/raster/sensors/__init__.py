"""Reflectance from whatever a satellite delivers: Sentinel-2, Landsat, STAC Items, any raster.

One file a sensor: it has a table of bands and turns a product into a `Product`, which says where
each band lies and how its stored values become reflectance. `ReflectanceScene` reads any of them.
"""

from clearscene.raster.sensors.opening import open_reflectance
from clearscene.raster.sensors.product import Kind
from clearscene.raster.sensors.reflectance import ReflectanceScene

__all__ = ["Kind", "ReflectanceScene", "open_reflectance"]
