"""`mlm.json`: the model as a STAC item with the Machine Learning Model extension, 1.5.

Keys after the extension's documentation (github.com/stac-extensions/mlm). A model belongs to no place and
no day, so its geometry is the whole globe and its time is open, as the extension's best practices advise.
"""

from collections.abc import Sequence

from clearscene.models.graph import Graph, Port
from clearscene.models.manifest import Manifest
from clearscene.training.export.runner import GraphRunner

__all__ = ["mlm_item"]

EXTENSION = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
WORLD = [-180.0, -90.0, 180.0, 90.0]
DIMENSIONS = ("batch", "class", "height", "width")


def mlm_item(
    manifest: Manifest,
    runner: GraphRunner,
    *,
    architecture: str,
    n_parameters: int,
    pretrained_source: str = "",
    extra_assets: Sequence[str] = (),
) -> dict[str, object]:
    """The item; `runner` holds the graphs whose shapes it states, `extra_assets` are more files of the folder."""
    left, bottom, right, top = WORLD
    corners = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION, CLASSIFICATION],
        "id": f"{manifest.name}-{manifest.version}",
        "geometry": {"type": "Polygon", "coordinates": [corners]},
        "bbox": WORLD,
        "properties": {
            "description": manifest.description or f"{manifest.name} {manifest.version}",
            "license": manifest.license,
            "datetime": None,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            "bands": [{"name": band} for band in manifest.input.bands],
            "mlm:name": manifest.name,
            "mlm:architecture": architecture or "unknown",
            "mlm:tasks": _tasks(runner),
            "mlm:framework": "ONNX",
            "mlm:total_parameters": n_parameters,
            "mlm:pretrained": bool(pretrained_source),
            "mlm:pretrained_source": pretrained_source or None,
            "mlm:batch_size_suggestion": 1,
            "mlm:accelerator": None,
            "mlm:input": [_input(manifest)],
            "mlm:output": _outputs(manifest, runner),
        },
        "assets": _assets(runner, extra_assets),
        "links": [],
    }


def _tasks(runner: GraphRunner) -> list[str]:
    found = {"scene-classification": runner.screen, "semantic-segmentation": runner.model}
    return [task for task, graph in found.items() if graph is not None]


def _input(manifest: Manifest) -> dict[str, object]:
    spec, size = manifest.input, manifest.tiles.tile_size
    is_display = spec.normalization == "fixed"
    means, stds = spec.mean or (0.0,) * len(spec.bands), spec.std or (1.0,) * len(spec.bands)
    return {
        "name": "image",
        "bands": list(spec.bands),
        "input": {
            "shape": [1, len(spec.bands), size, size],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "description": f"Display values from 0 to {spec.scale:g}; pixels without data are 0 after the scaling."
        if is_display
        else "Reflectance, normalized tile by tile as clearscene.masking.normalize does it; what is absent is 0.",
        "value_scaling": [
            {"type": "z-score", "mean": mean * spec.scale, "stddev": std * spec.scale}
            for mean, std in zip(means, stds, strict=True)
        ]
        if is_display
        else None,
    }


def _outputs(manifest: Manifest, runner: GraphRunner) -> list[dict[str, object]]:
    outputs = []
    if runner.screen is not None and manifest.screen is not None:
        port = next(port for port in runner.screen.outputs if port.name == "logits")
        types = [{"value": i, "name": name} for i, name in enumerate(manifest.screen.types)]
        outputs.append(_output(port, "scene-classification", DIMENSIONS[:2], types, "sigmoid of each"))
    if runner.model is not None:
        port, classes = runner.model.outputs[0], [{"value": c.id, "name": c.name} for c in manifest.classes]
        if not classes:
            return [*outputs, _output(port, "regression", DIMENSIONS, [], "shares: a softmax across the images")]
        outputs.append(_output(port, "semantic-segmentation", DIMENSIONS, classes, "softmax over the channels"))
    return outputs


def _output(
    port: Port, task: str, order: Sequence[str], classes: list[dict[str, object]], use: str
) -> dict[str, object]:
    return {
        "name": port.name,
        "tasks": [task],
        "result": {
            "shape": [-1 if size is None else size for size in port.shape],
            "dim_order": list(order),
            "data_type": "float32",
        },
        "description": f"Logits; probabilities are the {use}, after division by the temperature in model.toml.",
        "classification:classes": classes,
    }


def _assets(runner: GraphRunner, extra: Sequence[str]) -> dict[str, object]:
    graphs: dict[str, Graph | None] = {"screen.onnx": runner.screen, "model.onnx": runner.model}
    names = [name for name, graph in graphs.items() if graph is not None] + [n for n in extra if n.endswith(".onnx")]
    assets: dict[str, object] = {
        name.removesuffix(".onnx"): {
            "href": f"./{name}",
            "type": "application/octet-stream; application=onnx",
            "roles": ["mlm:model", "mlm:weights"],
            "mlm:artifact_type": "onnx",
        }
        for name in names
    }
    assets["manifest"] = {"href": "./model.toml", "type": "application/toml", "roles": ["metadata"]}
    assets["card"] = {"href": "./card.md", "type": "text/markdown", "roles": ["metadata"]}
    return assets
