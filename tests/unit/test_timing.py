import subprocess
import sys

import numpy as np

from clearscene.timing import Stopwatch, peak_memory_mb


def test_stages_of_one_name_add_up():
    watch = Stopwatch()
    for _ in range(2):
        with watch.stage("scan"):
            pass
    assert list(watch.stages) == ["scan"]
    assert 0 <= watch.stages["scan"] <= watch.seconds


def test_peak_follows_what_is_held():
    before = peak_memory_mb()
    held = np.ones(40_000_000)
    assert peak_memory_mb() > before + 250 or peak_memory_mb() >= held.nbytes / 1e6


def test_peak_of_a_child_is_its_own():
    held = np.ones(60_000_000)  # 480 MB here must not count there
    code = "from clearscene.timing import peak_memory_mb; print(peak_memory_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < held.nbytes / 1e6
