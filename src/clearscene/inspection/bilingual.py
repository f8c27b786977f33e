"""A text of the record in both languages, so that a report can be drawn again in either."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Bilingual"]


class Bilingual(BaseModel):
    """The same in English, which programs read, and in Chinese."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    zh: str
