"""The machine that a benchmark ran on, as far as it bears on speed."""

import os
import platform
from pathlib import Path

from clearscene.benchmark.results import Hardware

__all__ = ["describe_hardware"]


def describe_hardware(device: str, threads: int) -> Hardware:
    """Processor, cores, and what models were allowed to use."""
    return Hardware(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        threads=threads,
        device=device,
        python=platform.python_version(),
        system=platform.system(),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
