"""What a page sends: the bodies of requests that change something. What is not named here is refused."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from clearscene.inspection.result import Decision
from clearscene.review.gestures import Action, Gesture

__all__ = ["AgainBody", "CellBody", "EditBody", "ExportBody", "SignBody", "WalkBody"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EditBody(_Body):
    """A gesture."""

    action: Action
    keys: list[int] = Field(default=[], max_length=100_000)
    status: str = ""
    type: str = ""
    remark: str | None = None
    geometry: dict[str, Any] | None = None
    geometries: list[dict[str, Any]] = Field(default=[], max_length=100)
    line: list[tuple[float, float]] = Field(default=[], max_length=10_000)
    revisions: dict[int, int] | None = None
    client: str = Field(default="", max_length=100)

    def gesture(self) -> Gesture:
        """What it asks for."""
        return Gesture(
            self.action,
            tuple(self.keys),
            status=self.status,
            type=self.type,
            remark=self.remark,
            geometry=self.geometry,
            geometries=tuple(self.geometries),
            line=tuple(self.line),
        )


class AgainBody(_Body):
    """Undo or redo."""

    client: str = Field(default="", max_length=100)


class WalkBody(_Body):
    """Cells that were looked at."""

    cells: list[tuple[int, int]] = Field(max_length=100_000)
    seen: bool = True


class CellBody(_Body):
    """Size of the cells."""

    cell: int


class SignBody(_Body):
    """A signature."""

    name: str = Field(max_length=200)
    decision: Decision
    remark: str = Field(default="", max_length=4000)


class ExportBody(_Body):
    """Where chips go."""

    folder: str = Field(default="chips", max_length=100)
