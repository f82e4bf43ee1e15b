"""Work on many processes or machines (home of joblib, and of Dask's and Ray's clients).

A worker that dies costs nobody anything but time: what it was at is done again, alone, and only if it kills that worker
too is it given up.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from vtarget.base.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

_HINT = "pip install 'vtarget[cluster]'"
CONNECT_S = 20
LOCAL_AHEAD, CLUSTER_AHEAD = 2, 10  # tasks handed out for each worker, so that none waits for the next

TRIES_ALONE = 3  # a pool that broke may still be going down under the first one that comes after it


@dataclass(frozen=True)
class Died(Generic[T]):
    """In the place of a result: the task ended its worker process, and did so again alone."""

    task: T


def processors() -> int:
    """How many processes this machine has room for: its processors, less where affinity or a container limits them."""
    return int(joblib.cpu_count())


def run_all(
    function: Callable[[T], R], tasks: Iterable[T], *, jobs: int | None = None, cluster: str | None = None
) -> Iterator[R | Died[T]]:
    """What ``function``, which a module must hold, makes of each task, in whatever order they are done.

    ``jobs`` processes of this machine (None: all processors; 1: this process), or a ``cluster``: ``dask://HOST:PORT``
    or ``ray://HOST:PORT`` (``ray://`` starts one here). Tasks are taken as they are needed.

    :raises InputError: no such cluster, or the package for it isn't installed.
    """
    jobs = processors() if jobs is None else jobs
    if cluster is None and jobs == 1:
        yield from map(function, tasks)
        return
    with ExitStack() as stack:
        if cluster is not None:
            stack.enter_context(_cluster(cluster))
        pool = _Pool(function, jobs, LOCAL_AHEAD) if cluster is None else _Pool(function, -1, CLUSTER_AHEAD)
        yield from pool.run(tasks)


class _Pool(Generic[T, R]):
    """Keeps account of what is under way, so that a broken pool of workers loses none of it."""

    def __init__(self, function: Callable[[T], R], jobs: int, ahead: int) -> None:
        self._function = function
        self._jobs = jobs
        self._ahead = ahead
        self._under_way: dict[int, T] = {}

    def run(self, tasks: Iterable[T]) -> Iterator[R | Died[T]]:
        numbered = enumerate(tasks)
        while True:
            try:
                yield from self._some(numbered)
                return
            except _deaths():
                pass
            for number, task in list(self._under_way.items()):
                yield from self._alone(number, task)

    def _some(self, numbered: Iterator[tuple[int, T]]) -> Iterator[R]:
        parallel = joblib.Parallel(
            n_jobs=self._jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=f"{self._ahead}*n_jobs"
        )
        for number, result in parallel(self._calls(numbered)):
            del self._under_way[number]
            yield result

    def _alone(self, number: int, task: T) -> Iterator[R | Died[T]]:
        for _ in range(TRIES_ALONE):
            try:
                yield from self._some(iter([(number, task)]))
                return
            except _deaths():
                pass
        del self._under_way[number]
        yield Died(task)

    def _calls(self, numbered: Iterator[tuple[int, T]]) -> Iterator[Any]:
        for number, task in numbered:
            self._under_way[number] = task
            # As bytes: Dask would spread larger objects over workers beforehand, and lose them with a worker.
            yield joblib.delayed(_call)(self._function, number, pickle.dumps(task))


def _call(function: Callable[[T], R], number: int, task: bytes) -> tuple[int, R]:
    return number, function(pickle.loads(task))


def _deaths() -> tuple[type[Exception], ...]:
    """The exceptions that tell of a worker's end."""
    try:
        from distributed import KilledWorker
    except ImportError:
        return (BrokenProcessPool,)
    return (BrokenProcessPool, KilledWorker)


@contextmanager
def _cluster(url: str) -> Iterator[None]:
    scheme, separator, address = url.partition("://")
    if scheme == "dask" and separator and address:
        with _dask(address) as client, joblib.parallel_config(backend="dask", client=client):
            yield
    elif scheme == "ray" and separator:
        with _ray(url if address else None), joblib.parallel_config(backend="ray"):
            yield
    else:
        raise InputError(f"--cluster {url}: is no cluster", hint="such as dask://HOST:PORT or ray://HOST:PORT")


@contextmanager
def _dask(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError(f"--cluster dask://{address}: the package distributed is not installed", hint=_HINT) from None
    try:
        client = Client(f"tcp://{address}", timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"--cluster dask://{address}: no scheduler answers: {error}") from None
    with client:
        yield client


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise InputError(f"--cluster {address or 'ray://'}: the package ray is not installed", hint=_HINT) from None
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise InputError(f"--cluster {address or 'ray://'}: no cluster answers: {error}") from None
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()
