"""Work on many processes or machines (home of joblib, and of Dask's and Ray's clients).

A worker that dies costs nobody anything but time: what it was at is done again, alone, and only if it kills that worker
too is it given up.

joblib's own backends for clusters don't do: that of Dask waits for ever for a task whose workers died, and that of Ray
can't give results as they come and queues tasks behind workers that are busy. What ends all work on a cluster (its
scheduler gone, no worker left, another vtarget on one) is one error, soon.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from vtarget.base.errors import InputError, RunError
from vtarget.shell.outcomes import code_digest

T = TypeVar("T")
R = TypeVar("R")

_HINT = "pip install 'vtarget[cluster]'"
_RESUME = "finished cells are in the journal: --resume goes on from there"
_TOKEN = "a cluster that asks for a token needs RAY_AUTH_MODE=token here"
_SAME = "every worker needs the vtarget that is here, and its packages"
CONNECT_S = 10
NO_WORKERS_S = 30  # without any, for an autoscaler or a nanny to start one
RECONNECT_S = 10  # of Ray's client, whose own default is 30
POLL_S = 0.01
ASK_S = 1
LOCAL_AHEAD, CLUSTER_AHEAD = 2, 10  # tasks handed out for each worker, so that none waits for the next

TRIES_ALONE = 3  # a pool that broke may still be going down under the first one that comes after it
RAY_RETRIES = 2  # of a task by Ray itself, if its worker is lost; Dask's own is three


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
    or ``ray://HOST:PORT`` (``ray://auto``: the one that this machine is of; ``ray://`` starts one here). Tasks are
    taken as they are needed.

    :raises InputError: no such cluster, the package for it isn't installed, or a worker can't do this vtarget's work.
    :raises RunError: the cluster was lost.
    """
    jobs = processors() if jobs is None else jobs
    if cluster is not None:
        with _cluster(cluster) as spread:
            yield from _spread_out(spread, function, tasks)
    elif jobs == 1:
        yield from map(function, tasks)
    else:
        yield from _Pool(function, jobs).run(tasks)


class _Pool(Generic[T, R]):
    """Keeps account of what is under way, so that a broken pool of workers loses none of it."""

    def __init__(self, function: Callable[[T], R], jobs: int) -> None:
        self._function = function
        self._jobs = jobs
        self._under_way: dict[int, T] = {}

    def run(self, tasks: Iterable[T]) -> Iterator[R | Died[T]]:
        numbered = enumerate(tasks)
        while True:
            try:
                yield from self._some(numbered)
                return
            except BrokenProcessPool:
                pass
            for number, task in list(self._under_way.items()):
                yield from self._alone(number, task)

    def _some(self, numbered: Iterator[tuple[int, T]]) -> Iterator[R]:
        parallel = joblib.Parallel(
            n_jobs=self._jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=f"{LOCAL_AHEAD}*n_jobs"
        )
        for number, result in parallel(self._calls(numbered)):
            del self._under_way[number]
            yield result

    def _alone(self, number: int, task: T) -> Iterator[R | Died[T]]:
        for _ in range(TRIES_ALONE):
            try:
                yield from self._some(iter([(number, task)]))
                return
            except BrokenProcessPool:
                pass
        del self._under_way[number]
        yield Died(task)

    def _calls(self, numbered: Iterator[tuple[int, T]]) -> Iterator[Any]:
        for number, task in numbered:
            self._under_way[number] = task
            yield joblib.delayed(_numbered)(self._function, number, task)


def _numbered(function: Callable[[T], R], number: int, task: T) -> tuple[int, R]:
    return number, function(task)


# Clusters.


class _Lost:
    """In the place of a result: the cluster gave the task up, for several workers were lost with it."""


_Spread = Callable[[Callable[[Any], Any], Iterator[Any]], Iterator[tuple[Any, Any]]]


def _spread_out(spread: _Spread, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R | Died[T]]:
    """Results of a cluster; a task that was lost may only have been beside the one that kills, so it's tried alone."""
    suspects: list[T] = []
    for task, result in spread(function, iter(tasks)):
        if result is _Lost:
            suspects.append(task)
        else:
            yield result
    for suspect in suspects:
        for _, result in spread(function, iter([suspect])):
            yield Died(suspect) if result is _Lost else result


class _Call:
    """A call as bytes, which unpickling makes. Sent to ``pickle.loads`` they need nothing of ours to arrive: a worker
    that lacks it fails the task, where by a function that it can't import Dask's loses its connection."""

    def __init__(self, function: Callable[[Any], Any], task: Any) -> None:
        # Tasks as bytes: Dask would spread larger objects over workers beforehand, and lose them with a worker.
        self._arguments = code_digest(), pickle.dumps((function, task))

    def __reduce__(self) -> tuple[Callable[[str, bytes], Any], tuple[str, bytes]]:
        return _answer, self._arguments


def _answer(digest: str, work: bytes) -> Any:
    if digest != code_digest():
        raise ImportError(f"vtarget on {socket.gethostname()} is another version")
    function, task = pickle.loads(work)
    return function(task)


def _unfit(url: str, error: object) -> InputError:
    """Of what a worker couldn't even begin; whatever fails in a task is its result."""
    reason = (str(error).strip() or type(error).__name__).split("\n")[-1]
    return InputError(f"--cluster {url}: a worker can't do the work: {reason}", hint=_SAME)


def _deserted(url: str) -> RunError:
    return RunError(f"--cluster {url}: has had no worker for {NO_WORKERS_S} s", hint=_RESUME)


@contextmanager
def _cluster(url: str) -> Iterator[_Spread]:
    scheme, separator, address = url.partition("://")
    if scheme == "dask" and separator and address:
        with _dask(url, address) as spread:
            yield spread
    elif scheme == "ray" and separator:
        with _ray(url, address) as spread:
            yield spread
    else:
        raise InputError(f"--cluster {url}: is no cluster", hint="such as dask://HOST:PORT or ray://HOST:PORT")


@contextmanager
def _dask(url: str, address: str) -> Iterator[_Spread]:
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise InputError(f"--cluster {url}: the package distributed is not installed", hint=_HINT) from None
    try:
        client = Client(f"tcp://{address}", timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"--cluster {url}: no scheduler answers: {error}") from None

    def spread(function: Callable[[Any], Any], tasks: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        waiting: dict[Any, Any] = {}
        finished = as_completed([], loop=client.loop, with_results=True, raise_errors=False)

        def hand_out(count: int) -> None:
            for task in islice(tasks, count):
                future = client.submit(pickle.loads, pickle.dumps(_Call(function, task)), pure=False)
                waiting[future.key] = task
                finished.add(future)

        hand_out(CLUSTER_AHEAD * max(1, sum(client.ncores().values())))
        for future, result in _as_they_finish(url, finished, client):
            if future.status == "cancelled":
                raise OSError("cancelled")
            if future.status == "error":
                _, error, _ = result
                if not isinstance(error, KilledWorker):
                    raise _unfit(url, error)
                result = _Lost
            yield waiting.pop(future.key), result
            hand_out(1)

    with _silent("distributed"), client:
        try:
            yield spread
        except OSError:
            raise RunError(f"--cluster {url}: the scheduler was lost", hint=_RESUME) from None


def _as_they_finish(url: str, finished: Any, client: Any) -> Iterator[tuple[Any, Any]]:
    """What Dask has finished. RunError if it has no worker for a while, for which it would wait for ever."""
    asked = alive = time.monotonic()
    while not finished.is_empty():
        if finished.has_ready():
            yield from finished.next_batch(block=False)
            asked = alive = time.monotonic()
            continue
        time.sleep(POLL_S)
        now = time.monotonic()
        if now - asked >= ASK_S and client.status == "running":
            asked = now
            if client.ncores():
                alive = now
            elif now - alive >= NO_WORKERS_S:
                raise _deserted(url)


@contextmanager
def _silent(package: str) -> Iterator[None]:
    """Without what a package logs: what ends the work is said once, by us."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == package]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _ray(url: str, address: str) -> Iterator[_Spread]:
    try:
        import ray
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError
    except ImportError:
        raise InputError(f"--cluster {url}: the package ray is not installed", hint=_HINT) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        if address not in ("", "auto"):
            _check_answers(address)
            os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", str(RECONNECT_S))
        where = {"": "local", "auto": "auto"}.get(address, url)
        with warnings.catch_warnings(action="ignore"):  # which say again what an error says
            ray.init(where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: of another version of Ray or Python
        reason = str(error).strip().split("\n")[-1]
        raise InputError(f"--cluster {url}: no cluster answers: {reason}", hint=_TOKEN) from None

    def unpickle(work: bytes) -> bytes:
        # It travels by value, as no function of a module does: to where vtarget isn't, too.
        try:
            return pickle.dumps((True, pickle.loads(work)))
        except (ImportError, AttributeError) as error:
            return pickle.dumps((False, str(error)))

    call = ray.remote(num_cpus=1, max_retries=RAY_RETRIES)(unpickle)
    answers_at = ray.get_runtime_context().gcs_address if address in ("", "auto") else address

    def spread(function: Callable[[Any], Any], tasks: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
        room = CLUSTER_AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: dict[Any, Any] = {}
        alive = time.monotonic()
        while True:
            for task in islice(tasks, room - len(waiting)):
                waiting[call.remote(pickle.dumps(_Call(function, task)))] = task
            if not waiting:
                return
            ready = ray.wait(list(waiting), timeout=ASK_S)[0]
            if not ready:
                _check_answers(answers_at)
            if ready or ray.cluster_resources().get("CPU"):
                alive = time.monotonic()
            elif time.monotonic() - alive >= NO_WORKERS_S:
                raise _deserted(url)
            for reference in ready:
                task = waiting.pop(reference)
                try:
                    did, result = pickle.loads(ray.get(reference))
                    if not did:
                        raise _unfit(url, result)
                except (WorkerCrashedError, NodeDiedError, OutOfMemoryError):
                    result = _Lost
                except RayTaskError as error:
                    raise _unfit(url, getattr(error, "cause", error)) from None
                yield task, result

    try:
        yield spread
    except (OSError, RayError):
        raise RunError(f"--cluster {url}: the cluster was lost", hint=_RESUME) from None
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """OSError or ValueError if nobody listens; Ray's client would ask for half a minute."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
