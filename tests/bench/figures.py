"""Prints what running costs on this machine: ``python tests/bench/figures.py``."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent.parent)]

from machinelib import EXAMPLES  # noqa: E402
from speedlib import BOARD, Workload, measure, sleeping_seconds, without_memory  # noqa: E402

COMMANDS = {
    "vtarget --help": ["--help"],
    "vtarget boards list": ["boards", "list"],
    "vtarget run, 10 M instructions": ["run", str(EXAMPLES / "conv_int8-m4f.elf"), "-b", BOARD, "--quiet"],
}
ITERATIONS_OF_10_M = 16


def main() -> None:
    """Ratios of the scaled examples, then seconds and peak memory of whole processes, best of five."""
    plain = [Workload("conv_int8", 300), Workload("fft", 1000), Workload("fc_int8", 3000)]
    ways = {
        "": without_memory(),
        ", instruction cache": without_memory(instruction_cache=True),
        ", all memory": None,
    }
    runs = [(w, text, pricer) for text, pricer in ways.items() for w in plain]
    runs += [(replace(w, ticking=True), ", ticks at 1 kHz", without_memory()) for w in plain]
    for workload, text, pricer in runs:
        speed = measure(workload, pricer=pricer)
        name = workload.name + text
        print(
            f"{name:<32}{speed.instructions / 1e6:6.1f} M instructions  "
            f"bare {speed.bare_s:.3f} s  counted {speed.counted_s:.3f} s  "
            f"ratio {speed.ratio:.2f}  {speed.virtual_s / speed.counted_s:.1f} x real time"
        )
    print(f"{'10 s asleep, ticks at 1 kHz':<32}{min(sleeping_seconds(10_000) for _ in range(5)):6.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        scale = Path(folder) / "iterations"
        scale.write_bytes(ITERATIONS_OF_10_M.to_bytes(4, "little"))
        for name, arguments in COMMANDS.items():
            extra = ["--write", f"iterations={scale}"] if "run" in arguments else []
            seconds = min(_process([*arguments, *extra]) for _ in range(5))
            print(f"{name:<32}{seconds:6.2f} s")
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{'peak memory of the largest':<32}{peak_mb:6.0f} MB")


def _process(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "vtarget", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
