"""clearscene finds what is wrong with an overhead image, masks it, repairs it and proves it.

The names below are loaded when they are first used, so that `import clearscene` is quick::

    import clearscene

    report = clearscene.inspect("ortho.tif", "results/ortho", standard="percent-area")
    print(report.score.score, [(f.type, f.area_m2) for f in report.findings])
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearscene.errors import ClearsceneError
    from clearscene.inspection.api import inspect
    from clearscene.inspection.options import InspectOptions
    from clearscene.inspection.result import Report

__all__ = ["ClearsceneError", "InspectOptions", "Report", "__version__", "inspect"]

__version__ = "0.1.0"

_HOMES = {
    "ClearsceneError": "clearscene.errors",
    "InspectOptions": "clearscene.inspection.options",
    "Report": "clearscene.inspection.result",
    "inspect": "clearscene.inspection.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'clearscene' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
