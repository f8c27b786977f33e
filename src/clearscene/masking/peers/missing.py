"""The errors for a peer that is not installed, or cannot get its weights."""

from importlib.util import find_spec
from pathlib import Path

from clearscene.errors import MissingExtraError

__all__ = ["first_reason", "package_folder", "require"]


def require(*modules: str, name: str, install: str) -> None:
    """Make sure that modules can be imported, without importing them.

    Raises:
        MissingExtraError: One is not there; names the command that installs it.
    """
    lacking = [module for module in modules if find_spec(module) is None]
    if lacking:
        are = "is" if len(lacking) == 1 else "are"
        raise MissingExtraError(
            f"--model {name} needs {' and '.join(lacking)}, which {are} not installed.",
            hint=f"pip install {install}   (or all peers: pip install 'clearscene[peers]')",
        )


def package_folder(module: str) -> Path:
    """Where an installed package lies, found without importing it; `require` it before."""
    spec = find_spec(module)
    assert spec is not None
    return Path(next(iter(spec.submodule_search_locations or ())))


def first_reason(error: BaseException) -> str:
    """What an error came from in the end, one line: a package may say no more than that something failed."""
    seen = [error]
    while (cause := seen[-1].__cause__ or seen[-1].__context__) is not None and cause not in seen:
        seen.append(cause)
    texts = [text for one in reversed(seen) if (text := " ".join(str(one).split()))]
    return f"{texts[0] if texts else type(error).__name__:.300}"
