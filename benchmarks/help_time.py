"""How long `clearscene --help` takes: the bar is 0.3 s. Prints the minimum and median of some runs."""

import statistics
import subprocess
import sys
import time


def main(n_runs: int = 10) -> None:
    seconds = []
    for _ in range(n_runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "clearscene", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    print(f"clearscene --help: min {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s of {n_runs} runs")


if __name__ == "__main__":
    main()
