"""How long each stage of a run took, and the most memory it held."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such module, and its peak is not measured
    resource = None  # type: ignore[assignment]

__all__ = ["Stopwatch", "peak_memory_mb"]


class Stopwatch:
    """Seconds by stage; stages of one name add up."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.stages: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds since the stopwatch was made."""
        return time.perf_counter() - self._start

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start


def peak_memory_mb() -> float | None:
    """The most memory this process has held since it started, MB (10^6 bytes); None where that is not known."""
    try:
        # getrusage also counts what the parent held when it started this process.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1.024e-3 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024) / 1e6
