"""`clearscene benchmark networks [NAME...]`: the networks that can be trained, their size, cost and source."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clearscene.training.networks.cards import NetworkCard

__all__ = ["networks"]


def networks(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these networks.")] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Build each network and count again; needs torch, about a minute.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List every network that a training or a benchmark can name: inputs, parameters, GFLOP/Mpx, source.

    Parameters are for one class and hold the running statistics of batch normalization; GFLOP/Mpx is counted at
    512 x 512, a multiplication and its addition as two.
    """
    records = [_record(card) for card in _chosen(names or [])]
    if measure:
        from clearscene.training.networks.measure import measured

        for record in records:
            count, work = measured(str(record["name"]), form=str(record["form"]), n_bands=int(str(record["bands"])))
            record |= {"parameters": count, "gflop_per_mpx": round(work, 1)}
    if as_json:
        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
        return
    _print(records)


def _chosen(wanted: list[str]) -> Iterable["NetworkCard"]:
    from clearscene.training.networks.catalog import CATALOG, forms

    for name in wanted:
        forms(name)  # an unknown name is an error
    return [card for card in CATALOG if not wanted or card.name in wanted]


def _record(card: "NetworkCard") -> dict[str, object]:
    return {
        "name": card.name,
        "form": card.form,
        "title": card.title,
        "bands": card.bands,
        "parameters": card.n_parameters,
        "parameters_by_bands": {str(bands): count for (_, bands), count in card.parameters.items()},
        "published_count": (card.form, card.bands) in card.published,
        "gflop_per_mpx": card.gflop_per_mpx,
        "training": asdict(card.training),
        "source": card.source,
        "note": card.note,
        "extra": card.extra,
    }


def _print(records: list[dict[str, object]]) -> None:
    """One line a form; the source below where it changes."""
    typer.echo(f"{'network':15} {'form':9} {'bands':>5} {'parameters':>11} {'GFLOP/Mpx':>9}  source")
    for record in records:
        typer.echo(
            f"{record['name']:15} {record['form']:9} {record['bands']:5} {record['parameters']:11,}"
            f" {record['gflop_per_mpx']:9.1f}  {record['source']}"
        )
