"""The typed command, run inside the test process: fast, and counted by coverage."""

import contextlib
import io
from dataclasses import dataclass

from clearscene.cli.main import run


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def clearscene(*words: object, check: int | None = None) -> Done:
    """Run `clearscene WORDS...`; with `check`, the exit code must be that."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    done = Done(code, out.getvalue(), err.getvalue())
    if check is not None:
        assert done.returncode == check, f"exit code {code}\n{done.stderr}\n{done.stdout}"
    return done
