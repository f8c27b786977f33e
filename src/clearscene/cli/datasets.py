"""`clearscene datasets ...`: data sets from what people have drawn, and published ones."""

from pathlib import Path
from typing import Annotated, cast

import typer

from clearscene.cli.console import counted
from clearscene.cli.datasets_published import check_folder, describe_set, list_sets, overlap, prepare_set
from clearscene.synth.chip_set import Split

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Read published data sets; make data sets from what people have drawn.")


@app.callback()
def _group() -> None:
    """Read published data sets; make data sets from what people have drawn."""


app.command("list")(list_sets)
app.command("describe")(describe_set)
app.command("check")(check_folder)
app.command("prepare")(prepare_set)
app.command("overlap")(overlap)


@app.command("from-polygons")
def from_polygons(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A raster.")],
    polygons: Annotated[Path, typer.Argument(metavar="POLYGONS", help="Shapefile, GeoPackage or GeoJSON with types.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DATASET", help="Folder of the set; scenes add up.")],
    size: Annotated[int, typer.Option(help="Pixels along the side of a block.")] = 512,
    clean: Annotated[float, typer.Option(help="Clean blocks for each one with a polygon.", min=0)] = 1.0,
    type_field: Annotated[str, typer.Option(help="Field with the types; a usual one if left out.")] = "",
    penalty_field: Annotated[str, typer.Option(help="Field with the penalties; a usual one if left out.")] = "",
    split: Annotated[str, typer.Option(help="train, val or test; the name of the scene decides if left out.")] = "",
    val: Annotated[float, typer.Option(help="Share of the scenes for validation.")] = 0.15,
    test: Annotated[float, typer.Option(help="Share of the scenes for the test.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Another number sends scenes to other splits.", min=0)] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
) -> None:
    """Cut a scene and an inspector's polygons into chips for `clearscene train`: image, mask, types, texts."""
    from clearscene.datasets.from_polygons import BlockOptions, add_scene
    from clearscene.datasets.polygon_chips import Shares

    options = BlockOptions(
        size=size,
        clean=clean,
        type_field=type_field or None,
        penalty_field=penalty_field or None,
        shares=Shares(val, test, seed),
        split=cast(Split, split) if split else None,
    )
    added = add_scene(scene, polygons, out, options=options, overwrite=overwrite)
    typer.echo(
        f"{added.scene}: {counted(added.n_defects, 'chip')} with defects and {counted(added.n_clean, 'chip')} without"
        f" from {counted(added.n_polygons, 'polygon')}, to {added.split} in {out}"
    )
