"""Work on processes and on clusters: the same rows in the same order, and nothing lost with a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeplib import deadly_work, outcome, slow_work, synthetic, work

from vtarget.base.errors import InputError
from vtarget.shell.parallel import run_all
from vtarget.shell.sweeping import SweepOptions, run_sweep

TESTS = Path(__file__).resolve().parent


def rows(count: int, tmp_path: Path, function: object = work, **options: object) -> list[tuple[int, object]]:
    chosen = SweepOptions(journal=tmp_path / "journal", cached=False, **options)  # type: ignore[arg-type]
    return [(r.cell.index, r.outcome) for r in run_sweep(synthetic(count), chosen, work=function)]  # type: ignore[arg-type]


def expected(count: int) -> list[tuple[int, object]]:
    return [(index, outcome(index)) for index in range(count)]


@pytest.fixture(autouse=True)
def importable_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("SWEEP_NOTES", str(tmp_path / "notes"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_rows_come_in_order_whatever_the_processes(jobs: int, tmp_path: Path) -> None:
    assert rows(40, tmp_path, jobs=jobs) == expected(40)


def test_a_worker_that_dies_costs_only_the_cell_that_killed_it_twice(tmp_path: Path) -> None:
    found = rows(40, tmp_path, deadly_work, jobs=2)
    assert [pair for pair in found if pair[0] != 13] == [pair for pair in expected(40) if pair[0] != 13]
    assert "the worker process ended" in str(found[13][1])


@pytest.mark.parametrize("url", ["dask", "dask://", "spark://host:1", "host:8786", ""])
def test_what_is_no_cluster_is_named(url: str) -> None:
    with pytest.raises(InputError, match="is no cluster"):
        list(run_all(work, synthetic(1).units, cluster=url))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in (("distributed", "dask://localhost:1"), ("ray", "ray://localhost:1")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(InputError, match=f"{name} is not installed"):
            list(run_all(work, synthetic(1).units, cluster=url))


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers of one thread each, in processes of their own."""
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    place = tmp_path / "scheduler.json"
    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
    worker = ("dask_worker", "--scheduler-file", str(place), "--nthreads", "1", "--no-nanny", "--no-dashboard")
    workers = [start(*worker), start(*worker)]
    from distributed import Client

    end = time.monotonic() + 60
    while not place.exists() and time.monotonic() < end:
        time.sleep(0.05)
    with Client(scheduler_file=str(place), timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        address = client.scheduler_info()["address"]
    try:
        yield address.removeprefix("tcp://"), workers
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_dask_cluster_loses_a_worker_and_no_cell(
    dask: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, workers = dask
    matrix, done = synthetic(40), []
    options = SweepOptions(cluster=f"dask://{address}", journal=tmp_path / "journal", cached=False)
    for row in run_sweep(matrix, options, work=slow_work):
        done.append((row.cell.index, row.outcome))
        if len(done) == 8:
            workers[0].send_signal(signal.SIGKILL)
    assert done == expected(40)
    assert len(set((tmp_path / "notes").read_text().split())) == 2, "both workers had their part"
    journal = (tmp_path / "journal").read_text().splitlines()[1:]
    assert len(journal) == 40


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    monkeypatch.setattr("vtarget.shell.parallel.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=r"dask://127.0.0.1:9: no scheduler answers"):
        list(run_all(work, synthetic(1).units, cluster="dask://127.0.0.1:9"))
