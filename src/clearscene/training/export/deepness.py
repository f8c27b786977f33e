"""`deepness.onnx`: one graph from image to probabilities, with the metadata that the Deepness plugin of QGIS reads.

The plugin (PUTvision/qgis-plugin-deepness, `processing/models/model_base.py`) hands over values from 0 to 1,
less a mean and divided by a standard deviation; it drops what is under a threshold and takes the largest.
Its metadata are JSON texts in the file.
"""

import json
import math
from collections.abc import Mapping

import onnx

from clearscene.errors import ModelError
from clearscene.models.manifest import Manifest

__all__ = ["add_metadata", "deepness_metadata"]


def deepness_metadata(manifest: Manifest) -> dict[str, object]:
    """The plugin's keys. Classes are numbered by their place in the output, as it demands.

    `resolution` is in centimeters a pixel, the geometric mean of the manifest's range; it is left out where
    the manifest names none. The tile size stands under the key that the plugin reads and under the one that
    its documentation names.

    Raises:
        ModelError: The plugin divides by 255, and this model wants another scale.
    """
    spec, tiles = manifest.input, manifest.tiles
    if spec.normalization != "fixed" or spec.scale != 255:
        raise ModelError(f"Deepness divides values by 255; model {manifest.name} by {spec.scale:g}.")
    scale = tiles.specs()[0]
    metadata: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(i): entry.name for i, entry in enumerate(manifest.classes)},
        "tile_size": tiles.tile_size,
        "tiles_size": tiles.tile_size,
        "tiles_overlap": round(100 * scale.grid_overlap / scale.size),
        "seg_thresh": 0.0,
        "standardization_mean": list(spec.mean or (0.0,) * len(spec.bands)),
        "standardization_std": list(spec.std or (1.0,) * len(spec.bands)),
    }
    if spec.ground_sample_distance_m is not None:
        metadata["resolution"] = round(100 * math.sqrt(math.prod(spec.ground_sample_distance_m)), 3)
    return metadata


def add_metadata(model: onnx.ModelProto, metadata: Mapping[str, object]) -> None:
    """Write values as JSON texts into the file's own metadata."""
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
