"""Sky masks for photos: the model, refinement by the photo's own edges, and the names that other tools read.

The package has the name of the call, so it can be called: `clearscene.sky(photo)` is `clearscene.sky.api.sky`.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that is its own main function."""

    def __call__(self, photo: Any, *, options: Any = None, model: Any = None) -> Any:
        """See `clearscene.sky.api.sky`."""
        from clearscene.sky.api import sky

        return sky(photo, options=options, model=model)


sys.modules[__name__].__class__ = _Callable
