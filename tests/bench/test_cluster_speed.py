"""What a cell costs on a cluster, journal included, if it takes no time itself."""

from __future__ import annotations

import time
from pathlib import Path

from sweeplib import synthetic, work
from test_parallel import Dask, Ray, dask, expected, importable_by_workers, ray

from vtarget.shell.sweeping import SweepOptions, run_sweep

__all__ = ["dask", "importable_by_workers", "ray"]

CELLS, MOST_MS = 250, 100.0


def ms_per_cell(cluster: str, tmp_path: Path) -> float:
    for count in (20, CELLS):
        begun = time.perf_counter()
        options = SweepOptions(cluster=cluster, journal=tmp_path / f"journal{count}", cached=False)
        assert [(r.cell.index, r.outcome) for r in run_sweep(synthetic(count), options, work=work)] == expected(count)
    cost = 1000 * (time.perf_counter() - begun) / CELLS
    print(f"{cluster.partition(':')[0]}: {cost:.1f} ms per cell")
    return cost


def test_on_dask(dask: Dask, tmp_path: Path) -> None:
    assert ms_per_cell(f"dask://{dask.address}", tmp_path) < MOST_MS


def test_on_ray(ray: Ray, tmp_path: Path) -> None:
    assert ms_per_cell(f"ray://{ray.address}", tmp_path) < MOST_MS
