"""Work on processes and on clusters: the same rows in the same order, and nothing lost with a worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sweeplib import deadly_work, outcome, slow_work, synthetic, work

from vtarget.base.errors import InputError, RunError
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


class Dask(NamedTuple):
    """A scheduler and two workers of one thread each, of which the second comes back if it dies."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


WITHOUT = "without"  # on workers that have no vtarget


@pytest.fixture
def dask(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Dask]:
    """Dask, which gives a cell that killed a worker to so many more."""
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    wanted = getattr(request, "param", 3)
    environment = dict(os.environ)
    if wanted == WITHOUT:
        absent = tmp_path / WITHOUT / "vtarget"
        absent.mkdir(parents=True)
        (absent / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'vtarget'\")\n")
        environment["PYTHONPATH"] = str(absent.parent)
    else:
        environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = str(wanted)
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    place = tmp_path / "scheduler.json"
    scheduler = start(
        "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place)
    )
    worker = ("dask_worker", "--scheduler-file", str(place), "--nthreads", "1", "--no-dashboard")
    workers = [start(*worker, "--no-nanny"), start(*worker)]
    from distributed import Client

    end = time.monotonic() + 60
    while not place.exists() and time.monotonic() < end:
        time.sleep(0.05)
    with Client(scheduler_file=str(place), timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        address = client.scheduler_info()["address"]
    try:
        yield Dask(address.removeprefix("tcp://"), scheduler, workers)
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_dask_cluster_loses_a_worker_and_no_cell(dask: Dask, tmp_path: Path) -> None:
    matrix, done = synthetic(40), []
    options = SweepOptions(cluster=f"dask://{dask.address}", journal=tmp_path / "journal", cached=False)
    for row in run_sweep(matrix, options, work=slow_work):
        done.append((row.cell.index, row.outcome))
        if len(done) == 8:
            dask.workers[0].send_signal(signal.SIGKILL)
    assert done == expected(40)
    assert len(set((tmp_path / "notes").read_text().split())) == 2, "both workers had their part"
    journal = (tmp_path / "journal").read_text().splitlines()[1:]
    assert len(journal) == 40


@pytest.mark.parametrize("dask", [0], indirect=True)
def test_a_dask_cluster_gives_up_only_the_cell_that_kills_its_workers(dask: Dask, tmp_path: Path) -> None:
    options = SweepOptions(cluster=f"dask://{dask.address}", journal=tmp_path / "journal", cached=False)
    (tmp_path / "notes").touch()  # cell 29 spares its worker
    found = [(row.cell.index, row.outcome) for row in run_sweep(synthetic(20), options, work=deadly_work)]
    assert [pair for pair in found if pair[0] != 13] == [pair for pair in expected(20) if pair[0] != 13]
    assert "the worker process ended" in str(found[13][1])


@pytest.mark.parametrize(
    ("lost", "told"), [("scheduler", "the scheduler was lost"), ("workers", "has had no worker for 1 s")]
)
def test_what_a_lost_dask_cluster_had_finished_is_resumed_from(
    lost: str, told: str, dask: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vtarget.shell.parallel.NO_WORKERS_S", 1)
    journal = tmp_path / "journal"
    sweep = run_sweep(
        synthetic(40), SweepOptions(cluster=f"dask://{dask.address}", journal=journal, cached=False), work=slow_work
    )
    for _ in range(8):
        next(sweep)
    for process in [dask.scheduler] if lost == "scheduler" else dask.workers:
        process.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(RunError, match=f"dask://{dask.address}: {told}") as raised:
        list(sweep)
    assert time.monotonic() - begun < 30
    assert "--resume goes on" in raised.value.one_line()
    assert capfd.readouterr().err == ""
    kept = len(journal.read_text().splitlines()) - 1
    assert 8 <= kept < 40
    (tmp_path / "notes").unlink()
    assert rows(40, tmp_path, slow_work, jobs=1, resume=True) == expected(40)
    assert len((tmp_path / "notes").read_text().split()) == 40 - kept, "what was finished isn't done again"


@pytest.mark.parametrize("dask", [WITHOUT], indirect=True)
def test_a_dask_worker_without_vtarget_is_named(dask: Dask) -> None:
    with pytest.raises(InputError, match="a worker can't do the work: No module named 'vtarget'"):
        list(run_all(work, synthetic(3).units, cluster=f"dask://{dask.address}"))


def test_a_dask_worker_with_another_vtarget_is_named(dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtarget.shell.parallel.code_digest", lambda: "another")
    with pytest.raises(InputError, match=f"vtarget on {socket.gethostname()} is another version"):
        list(run_all(work, synthetic(3).units, cluster=f"dask://{dask.address}"))


class Ray(NamedTuple):
    """Where clients of a Ray cluster connect, and what SWEEP_NOTES is there."""

    address: str
    notes: Path


@pytest.fixture(scope="module")
def ray() -> Iterator[Ray]:
    """A Ray cluster of one node that runs two tasks at once, and where its clients connect."""
    pytest.importorskip("ray", reason="the package ray is not installed")
    port = free_port()
    # grpc's own care for forks ends Ray's server for a client in some versions of it.
    # A token that a Ray of this user's left behind would be asked for.
    settings = {"GRPC_ENABLE_FORK_SUPPORT": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    python_path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # short: sockets are in it
        ray = Ray(f"127.0.0.1:{port}", Path(folder) / "notes")
        environment = os.environ | settings | {"PYTHONPATH": python_path, "SWEEP_NOTES": str(ray.notes)}
        command = ["start", "--head", "--block", "--port", "0", "--num-cpus", "2", "--include-dashboard", "false"]
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *command, "--ray-client-server-port", str(port),
             "--temp-dir", folder],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_listener(port, process)
            yield ray
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("Ray didn't start")


def test_a_ray_cluster_loses_a_worker_and_no_cell(ray: Ray, tmp_path: Path) -> None:
    done = []
    options = SweepOptions(cluster=f"ray://{ray.address}", journal=tmp_path / "journal", cached=False)
    for row in run_sweep(synthetic(40), options, work=slow_work):
        done.append((row.cell.index, row.outcome))
        if len(done) == 8:
            os.kill(int(ray.notes.read_text().split()[-1]), signal.SIGKILL)
    assert done == expected(40)
    assert len(set(ray.notes.read_text().split())) >= 2, "another worker went on"
    assert len((tmp_path / "journal").read_text().splitlines()[1:]) == 40


def test_a_ray_cluster_gives_up_only_the_cell_that_kills_its_workers(
    ray: Ray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtarget.shell.parallel.RAY_RETRIES", 0)
    ray.notes.touch()  # cell 29 spares its worker
    found = rows(20, tmp_path, deadly_work, cluster=f"ray://{ray.address}")
    assert [pair for pair in found if pair[0] != 13] == [pair for pair in expected(20) if pair[0] != 13]
    assert "the worker process ended" in str(found[13][1])


def test_a_ray_worker_with_another_vtarget_is_named(ray: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtarget.shell.parallel.code_digest", lambda: "another")
    with pytest.raises(InputError, match=f"vtarget on {socket.gethostname()} is another version"):
        list(run_all(work, synthetic(3).units, cluster=f"ray://{ray.address}"))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "127.0.0.1:"])
def test_a_ray_cluster_that_does_not_answer_is_named(address: str) -> None:
    pytest.importorskip("ray", reason="the package ray is not installed")
    with pytest.raises(InputError, match=f"ray://{address}: no cluster answers"):
        list(run_all(work, synthetic(1).units, cluster=f"ray://{address}"))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    monkeypatch.setattr("vtarget.shell.parallel.CONNECT_S", 0.5)
    with pytest.raises(InputError, match=r"dask://127.0.0.1:9: no scheduler answers"):
        list(run_all(work, synthetic(1).units, cluster="dask://127.0.0.1:9"))
