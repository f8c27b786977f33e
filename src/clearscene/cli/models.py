"""`clearscene models [PATH...]`: list the models that are installed, and those in folders of one's own."""

import json
from pathlib import Path
from typing import Annotated

import typer

from clearscene.models.zoo import ModelInfo, available_models, shipped_folder

__all__ = ["command"]


def command(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Model folders, or folders of model folders, to list as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifests as JSON.")] = False,
) -> None:
    """List the models that are installed."""
    models = available_models(paths or [])
    if as_json:
        typer.echo(json.dumps([_record(info) for info in models], indent=2, ensure_ascii=False))
        return
    if not models:
        typer.echo(f"No models: none is shipped with this version ({shipped_folder()} is empty or absent).")
        typer.echo("hint: give the folder of a model of your own: clearscene models PATH", err=True)
        return
    for info in models:
        typer.echo(_described(info))


def _described(info: ModelInfo) -> str:
    """A model in three lines that survive any width of terminal."""
    m, distance = info.manifest, info.manifest.input.ground_sample_distance_m
    pixels = "any size" if distance is None else f"{distance[0]:g} to {distance[1]:g} m"
    scales = ", ".join(f"1:{reduction}" for reduction in m.tiles.reductions)
    kind = "screens tiles first" if m.screen else "segments every tile"
    return (
        f"{m.name} {m.version}: {m.task}, {m.license}, {info.size_bytes / 1e6:.1f} MB, "
        f"{'shipped' if info.is_shipped else 'yours'}\n"
        f"  bands {', '.join(m.input.bands)}; pixels of {pixels}; scales {scales}; {kind}\n"
        f"  {info.folder}"
    )


def _record(info: ModelInfo) -> dict[str, object]:
    return {
        "folder": str(info.folder),
        "is_shipped": info.is_shipped,
        "size_bytes": info.size_bytes,
        "manifest": info.manifest.model_dump(mode="json"),
    }
