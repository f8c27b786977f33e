"""What a benchmark leaves: `results.json`, from which every table, figure and page can be drawn again."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clearscene.atomic import replacing
from clearscene.benchmark.card import Card
from clearscene.errors import ResultError
from clearscene.models.wrong_keys import describe_errors

__all__ = [
    "RESULTS",
    "SCHEMA_VERSION",
    "Cell",
    "Curve",
    "Hardware",
    "JudgedSet",
    "Model",
    "Number",
    "Picture",
    "Results",
    "Scene",
    "Training",
    "read_results",
    "results_schema",
    "schema_text",
    "write_json",
]

SCHEMA_VERSION: Literal[1] = 1
RESULTS = "results.json"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class Number(_Record):
    """A measured value with the middle 95 % of what it is when scenes are drawn again; null is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Scene(_Record):
    """One scene of a cell: counts of pixels, and the metrics that are defined on it alone."""

    scene: str
    biome: str | None = None
    cover: str | None = None
    tp: int
    fp: int
    fn: int
    tn: int
    metrics: dict[str, float | None]


class Picture(_Record):
    """A chip drawn: found in blue, true in green, both in cyan."""

    chip: str
    scene: str
    path: str = Field(description="Of the PNG, below the folder of the results.")


class Cell(_Record):
    """One model, trained on one set or elsewhere, judged on one set by one protocol."""

    id: str
    key: str = Field(description="Digest of all that decides the numbers; a finished cell of the same key is kept.")
    model: str
    train_set: str | None = Field(description="Null: it was made elsewhere.")
    test_set: str
    protocol: str
    status: Literal["done", "failed"]
    error: str = ""
    hint: str = ""
    threshold: float | None = None
    n_scenes: int = 0
    n_chips: int = 0
    n_pixels: int = 0
    metrics: dict[str, Number] = {}
    by_biome: dict[str, dict[str, Number]] = {}
    by_cover: dict[str, dict[str, Number]] = {}
    scenes: tuple[Scene, ...] = ()
    seconds: float | None = Field(default=None, description="Of the model alone, first look left out.")
    cpu_seconds: float | None = Field(
        default=None, description="Of all threads; far below `seconds` on a busy machine."
    )
    seconds_per_mpx: float | None = None
    bands: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


class Curve(_Record):
    """Loss by step; points that are no numbers are left out."""

    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


class Training(_Record):
    """A network trained on a set."""

    model: str
    train_set: str
    status: Literal["done", "failed"]
    error: str = ""
    hint: str = ""
    folder: str = ""
    minutes: float | None = None
    steps: int | None = None
    reason: str = Field(default="", description="Why it ended.")
    best: float | None = Field(default=None, description="Best value of what was monitored.")
    device: str = ""
    train_loss: Curve = Curve()
    val_loss: Curve = Curve()


class Model(_Record):
    """A row of the tables."""

    name: str
    kind: Literal["network", "run", "model", "peer"]
    source: str = Field(default="", description="Network and form, folder, or name of the peer.")
    bands: tuple[str, ...] = ()
    parameters: int | None = None
    size_mb: float | None = Field(default=None, description="Of its files; of a network, of its weights as float32.")
    gflop_per_mpx: float | None = None


class JudgedSet(_Record):
    """A set as it was read."""

    name: str
    dataset: str
    digest: str
    split_digest: str
    bands: tuple[str, ...]
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    counts: dict[str, int]
    license: str = ""
    split: str
    is_trained_on: bool
    is_judged: bool


class Hardware(_Record):
    """Where it ran."""

    processor: str
    cores: int
    threads: int
    device: str
    python: str
    system: str


class Results(_Record):
    """The whole file."""

    format: Literal[1] = SCHEMA_VERSION
    name: str
    title: str = ""
    created: str
    seconds: float = Field(description="From start to end of the last run, trainings included.")
    clearscene: str
    seed: int
    hardware: Hardware
    protocols: tuple[Card, ...]
    sets: tuple[JudgedSet, ...]
    models: tuple[Model, ...]
    trainings: tuple[Training, ...] = ()
    cells: tuple[Cell, ...] = ()

    def cell(self, model: str, train_set: str | None, test_set: str, protocol: str) -> Cell | None:
        """The cell of these four, if there is one."""
        wanted = (model, train_set, test_set, protocol)
        return next((c for c in self.cells if (c.model, c.train_set, c.test_set, c.protocol) == wanted), None)


def read_results(folder: Path) -> Results:
    """Read the results of a folder.

    Raises:
        ResultError: There are none, or they are not as the schema says.
    """
    path = folder / RESULTS
    try:
        return Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ResultError(
            f"{path} cannot be read: {error.strerror}.", hint="Name the --out folder of a `benchmark run`."
        ) from error
    except ValidationError as error:
        raise ResultError(
            f"{path} is no result of a benchmark: {describe_errors(error, 'the file', Results)}.",
            hint="Run the benchmark again: what is finished is kept.",
        ) from error


def write_json(record: BaseModel, path: Path) -> None:
    """Write a record as indented JSON, whole or not at all; numbers that are not finite become null.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path) as part:
        part.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def results_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that every `results.json` satisfies."""
    schema = Results.model_json_schema(mode="serialization")
    for record in (schema, *schema["$defs"].values()):
        if "properties" in record:
            record["required"] = list(record["properties"])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"clearscene benchmark results, version {SCHEMA_VERSION}",
    }
    return head | {key: value for key, value in schema.items() if key not in head}


def schema_text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(results_schema(), indent=2, ensure_ascii=False) + "\n"
