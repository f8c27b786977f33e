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
    from clearscene.fusion.api import fuse
    from clearscene.fusion.options import FuseOptions
    from clearscene.fusion.result import FuseReport
    from clearscene.inspection.api import inspect
    from clearscene.inspection.options import InspectOptions
    from clearscene.inspection.result import Report
    from clearscene.masking.api import MaskResult, mask
    from clearscene.masking.options import MaskOptions
    from clearscene.sky.api import SkyResult, sky
    from clearscene.sky.model import SkyModel
    from clearscene.sky.options import SkyOptions

__all__ = [
    "ClearsceneError",
    "FuseOptions",
    "FuseReport",
    "InspectOptions",
    "MaskOptions",
    "MaskResult",
    "Report",
    "SkyModel",
    "SkyOptions",
    "SkyResult",
    "__version__",
    "fuse",
    "inspect",
    "mask",
    "sky",
]

__version__ = "0.1.0"

_HOMES = {
    "ClearsceneError": "clearscene.errors",
    "FuseOptions": "clearscene.fusion.options",
    "FuseReport": "clearscene.fusion.result",
    "InspectOptions": "clearscene.inspection.options",
    "MaskOptions": "clearscene.masking.options",
    "MaskResult": "clearscene.masking.api",
    "Report": "clearscene.inspection.result",
    "SkyModel": "clearscene.sky.model",
    "SkyOptions": "clearscene.sky.options",
    "SkyResult": "clearscene.sky.api",
    "fuse": "clearscene.fusion.api",
    "inspect": "clearscene.inspection.api",
    "mask": "clearscene.masking.api",
    "sky": "clearscene.sky.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'clearscene' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
