"""The exceptions that clearscene raises, all under one root.

::

    ClearsceneError
    |-- SceneError          (OSError)      a scene cannot be opened or read
    |-- BandError           (ValueError)   the bands asked for are not there
    |-- GridError           (ValueError)   a window, transform or CRS does not fit
    |-- TileSpecError       (ValueError)   tile size, overlap or reduction cannot work
    |-- ModelError          (ValueError)   a model folder is broken or does not fit the scene
    |-- StandardError       (ValueError)   a scoring standard is wrong
    |-- DatasetError        (ValueError)   a set of chips is missing, empty or broken
    |-- TrainingError       (RuntimeError) a training cannot start or go on
    |-- VectorError         (ValueError)   a polygon file cannot be read or used
    |-- OptionError         (ValueError)   an option has a value that cannot be used
    |-- OutputError         (OSError)      a result cannot be written
    |-- ResultError         (OSError)      a run folder is missing, incomplete or unreadable
    |-- ConflictError       (RuntimeError) something was changed by somebody else meanwhile
    `-- MissingExtraError   (ImportError)  an optional package is not installed

Every message says what is wrong, the value, and the place; `hint` says what to do.
"""

__all__ = [
    "BandError",
    "ClearsceneError",
    "ConflictError",
    "DatasetError",
    "GridError",
    "MissingExtraError",
    "ModelError",
    "OptionError",
    "OutputError",
    "ResultError",
    "SceneError",
    "StandardError",
    "TileSpecError",
    "TrainingError",
    "VectorError",
]


class ClearsceneError(Exception):
    """Root of all errors that clearscene raises on purpose.

    Args:
        message: What is wrong, with the value and the place.
        hint: What the user can do about it, a sentence; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SceneError(ClearsceneError, OSError):
    """A scene cannot be opened, or a part of it cannot be read."""


class BandError(ClearsceneError, ValueError):
    """The bands asked for are not in the scene, or cannot be told apart."""


class GridError(ClearsceneError, ValueError):
    """A window, a transform or a coordinate reference system does not fit."""


class TileSpecError(ClearsceneError, ValueError):
    """A tile size, overlap or reduction that cannot work."""


class ModelError(ClearsceneError, ValueError):
    """A model folder is broken, hostile, or does not fit the scene."""


class StandardError(ClearsceneError, ValueError):
    """A scoring standard has a wrong key or value."""


class DatasetError(ClearsceneError, ValueError):
    """A set of chips is missing, empty, or holds what its format does not allow."""


class TrainingError(ClearsceneError, RuntimeError):
    """A training cannot start or cannot go on: a loss that is no number, a checkpoint that does not fit."""


class VectorError(ClearsceneError, ValueError):
    """A polygon file cannot be read, or lacks what is needed."""


class OptionError(ClearsceneError, ValueError):
    """An option has a value that cannot be used."""


class OutputError(ClearsceneError, OSError):
    """A result cannot be written."""


class ResultError(ClearsceneError, OSError):
    """A run folder is missing, incomplete or cannot be read."""


class MissingExtraError(ClearsceneError, ImportError):
    """An optional package is needed and not installed."""


class ConflictError(ClearsceneError, RuntimeError):
    """What was to be changed was changed by somebody else meanwhile.

    Args:
        message: As in `ClearsceneError`.
        hint: As in `ClearsceneError`.
        keys: Feature ids in question.
    """

    def __init__(self, message: str, *, hint: str = "", keys: tuple[int, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.keys = keys
