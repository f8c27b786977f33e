"""What a page sends: the bodies of requests that change something. What is not named here is refused."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from clearscene.inspection.result import Decision
from clearscene.review.gestures import Action, Gesture

__all__ = ["AgainBody", "CellBody", "EditBody", "ExportBody", "SignBody", "WalkBody"]


def _writable(text: str) -> str:
    """Text that files can hold: a field with a greatest length may cut a letter of two code units in half."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("it holds half a letter, or the one of number 0, which no file can keep")
    return text


Text = Annotated[str, AfterValidator(_writable)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EditBody(_Body):
    """A gesture."""

    action: Action
    keys: list[int] = Field(default=[], max_length=100_000)
    status: str = ""
    type: str = ""
    remark: Text | None = None
    geometry: dict[str, Any] | None = None
    geometries: list[dict[str, Any]] = Field(default=[], max_length=100)
    line: list[tuple[float, float]] = Field(default=[], max_length=10_000)
    revisions: dict[int, int] | None = None
    client: Text = Field(default="", max_length=100)

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

    client: Text = Field(default="", max_length=100)


class WalkBody(_Body):
    """Cells that were looked at."""

    cells: list[tuple[int, int]] = Field(max_length=100_000)
    seen: bool = True


class CellBody(_Body):
    """Size of the cells."""

    cell: int


class SignBody(_Body):
    """A signature."""

    name: Text = Field(max_length=200)
    decision: Decision
    remark: Text = Field(default="", max_length=4000)


class ExportBody(_Body):
    """Where chips go."""

    folder: str = Field(default="chips", max_length=100)
