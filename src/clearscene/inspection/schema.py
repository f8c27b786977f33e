"""The JSON schema of `report.json`, published at docs/reference/report.schema.json."""

import json
from pathlib import Path
from typing import Any

from clearscene.atomic import replacing
from clearscene.inspection.result import SCHEMA_VERSION, Report

__all__ = ["report_schema", "schema_text", "write_schema"]


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that every `report.json` satisfies.

    Fields with a default are listed as required, because clearscene always writes them.
    """
    schema = Report.model_json_schema(mode="serialization")
    for record in (schema, *schema["$defs"].values()):
        if "properties" in record:
            record["required"] = list(record["properties"])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"clearscene inspection report, version {SCHEMA_VERSION}",
    }
    return head | {key: value for key, value in schema.items() if key not in head}


def schema_text() -> str:
    """The schema as the committed file holds it: indented JSON with a newline at its end."""
    return json.dumps(report_schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path) -> Path:
    """Write the schema to `path` and return it."""
    with replacing(path) as part:
        part.write_text(schema_text(), encoding="utf-8")
    return path
