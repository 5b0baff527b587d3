"""The workers of a Ray cluster, and who does which chunk.

A worker is an actor with one processor, and, for what is computed faster on one and
where the cluster has them, with a share of a GPU. It computes and gives back; it writes
nothing, so that a chunk can be done again whenever its worker is lost, with the same
result.
Ray's own retries are off: what died, and how often, decides here what is tried again.
A chunk whose workers died twice is taken apart and its items tried one by one, so that
an image that kills whoever reads it costs that image alone.

Ray is imported when the engine is asked for, and never before.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fiftyone_reue import __version__
from fiftyone_reue.errors import EngineError, InputError, MissingPackageError

S = TypeVar("S")
R = TypeVar("R")

INSTALL = "pip install 'fiftyone-reue[ray]'"

AHEAD = 4
"""So many chunks a worker are begun before the first of them has to be back."""

QUEUED = 2
"""A worker has the next chunk already when it gives one back."""

MOST_DEATHS = 2
"""Of workers with a chunk before it is taken apart, and then with one of its items."""

START_SECONDS = 600.0
"""So long a cluster that grows when asked may take until it has its first worker."""

GPUS_VARIABLE = "REUE_RAY_GPUS"
"""Which work gets GPUs: auto (what gains by one), on (all), off (none)."""

MOST_SHARING = 64
"""Workers of one GPU, at most."""

_FAILED_STARTS = 3
_LOOK_SECONDS = 5.0
_REACH_SECONDS = 10.0


def import_ray() -> Any:
    """The module.

    Raises:
        MissingPackageError: it isn't installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError(
            f"The engine ray needs the package ray, which isn't here: {INSTALL}, here "
            "and on every machine of the cluster"
        ) from error
    return ray


def connect() -> Any:
    """The module, connected to a cluster that runs.

    None is started: who reaches a Ray cluster's ports runs what they like in it, so
    that nobody should have one without knowing.

    Raises:
        MissingPackageError: Ray isn't installed.
        EngineError: no cluster can be reached.
    """
    ray = import_ray()
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS") or "auto"
    require_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        raise _unreachable(address) from error
    _quiet(ray)
    return ray


def require_reachable(address: str) -> None:
    """Make sure that somebody listens, for which Ray would try for minutes.

    Args:
        address: a host and its port; any other kind is left to Ray.

    Raises:
        EngineError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address) from error


def _unreachable(address: str) -> EngineError:
    where = "" if address == "auto" else f" at {address}"
    return EngineError(
        f"No Ray cluster can be reached{where}; start one (ray start --head), or say "
        "where it is (RAY_ADDRESS=host:6379)"
    )


def _quiet(ray: Any) -> None:
    """Keep Ray's words about dead workers out of what a command prints.

    They go to the standard output, whatever ``log_to_driver`` says, and would spoil
    ``--json``. Ray has no public switch; without this one they are printed.
    """
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if worker is not None and hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = False


def wants_gpus(gains: bool) -> bool:
    """Whether workers are to ask for GPUs, where the cluster has some.

    Args:
        gains: whether the work gains by one.

    Raises:
        InputError: the variable is something else than on, off or auto.
    """
    wanted = os.environ.get(GPUS_VARIABLE) or "auto"
    if wanted not in ("on", "off", "auto"):
        raise InputError(
            f"{GPUS_VARIABLE} is {wanted!r}; set it to on or off, or unset it"
        )
    return gains if wanted == "auto" else wanted == "on"


@dataclass(frozen=True)
class Places:
    """How many workers there are, and what each asks for besides a processor.

    Attributes:
        workers: how many.
        gpus: the share of a GPU that each has; 0 for none.
    """

    workers: int
    gpus: float


def places(nodes: Sequence[Mapping[str, float]], workers: int | None) -> Places:
    """Workers on the GPUs of a cluster, so that as few as possible share one.

    By default there is one for each processor of the nodes that have GPUs: what others
    computed would be slower, and a search in floating point could end otherwise.

    Args:
        nodes: what each node has, by Ray's names.
        workers: how many are wanted, if it was said.

    Returns:
        With no GPU anywhere, one a processor, and no share.
    """
    able = [(int(n.get("CPU", 0)), int(n.get("GPU", 0))) for n in nodes]
    able = [(processors, gpus) for processors, gpus in able if processors and gpus]
    if not able:
        processors = int(sum(node.get("CPU", 0) for node in nodes))
        return Places(workers or max(1, processors), 0)
    count = workers or sum(processors for processors, _ in able)
    for sharing in range(1, MOST_SHARING + 1):
        room = sum(min(processors, gpus * sharing) for processors, gpus in able)
        if room >= count or all(p <= gpus * sharing for p, gpus in able):
            break
    share = math.floor(10_000 / sharing) / 10_000  # Ray's precision
    return Places(workers or min(count, room), share)


class Actor:
    """What runs on a worker: first told what to do, then given chunks.

    Args:
        has_gpu: whether Ray gave it a GPU, or a share of one.
    """

    def __init__(self, has_gpu: bool = False) -> None:
        from threadpoolctl import threadpool_limits

        self._has_gpu = has_gpu
        if not has_gpu:
            # Ray hides GPUs from whom it gave none, or not, by its version and by
            # variables; torch looks when it first computes, which is later.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        # Every worker has its own images; products spread over cores would contend.
        self._limits = threadpool_limits(1, user_api="blas")
        self._do: Callable[[Any], Any] | None = None

    def begin(self, do: Callable[[Any], Any], folder: str) -> tuple[str, str | None]:
        """Take up what to do with a chunk.

        Args:
            do: what is done.
            folder: the driver's, from which paths may begin.

        Returns:
            Which version this is, and why it can't be done as it was meant to, if so.
        """
        with contextlib.suppress(OSError):  # or whole paths are given
            os.chdir(folder)
        self._do = do
        return __version__, self.gpu_problem() if self._has_gpu else None

    def gpu_problem(self) -> str | None:
        """Why the GPU that was given can't be computed on; None if it can."""
        import torch

        try:
            torch.zeros(1, device="cuda").add_(1).item()
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return f"{socket.gethostname()} (torch {torch.__version__}): {reason[0]}"
        return None

    def do(self, items: Any) -> tuple[Any, Exception | None]:
        """Its result; or an error that ends the run, as it is."""
        assert self._do is not None
        try:
            return self._do(items), None
        except Exception as error:
            return None, error


@dataclass(eq=False)
class _Task(Generic[S]):
    """A chunk, or one item of it.

    Attributes:
        chunk: the chunk's number.
        start: the place in it where these items begin.
        items: what is to be done.
        deaths: how many workers died while they had it.
    """

    chunk: int
    start: int
    items: list[S]
    deaths: int = 0


@dataclass(eq=False)
class _Worker(Generic[S]):
    actor: Any
    begun: bool = False
    tasks: list[_Task[S]] = field(default_factory=list)

    @property
    def is_free(self) -> bool:
        """Whether it can be given something that others may have died of."""
        return self.begun and not self.tasks

    @property
    def has_room(self) -> bool:
        return (
            self.begun
            and len(self.tasks) < QUEUED
            and not any(task.deaths for task in self.tasks)
        )


@dataclass(eq=False)
class _Part(Generic[R]):
    """What is back of a chunk."""

    size: int
    missing: int
    results: dict[int, R] = field(default_factory=dict)


class RayPool(Generic[S, R]):
    """Workers on a cluster that do chunks; use it in ``with``.

    Args:
        do: what is done with a chunk; sent to every worker, with all that it holds.
        lost: the result for an item that killed every worker that had it.
        workers: how many; by default one for each processor of the cluster.
        gains: whether the work gains by a GPU; see :func:`places`.

    Raises:
        MissingPackageError, EngineError: there is no Ray, or no cluster.
        InputError: :data:`GPUS_VARIABLE` is set to what it can't be.
    """

    def __init__(
        self,
        do: Callable[[list[S]], R],
        lost: Callable[[S], R],
        workers: int | None = None,
        *,
        gains: bool = False,
    ) -> None:
        asks = wants_gpus(gains)
        self._ray = connect()
        self._do = do
        self._lost = lost
        self._folder = os.getcwd()
        found = places(self._nodes(), workers) if asks else None
        self.gpus = found.gpus if found else 0.0
        self.count = found.workers if found else workers or self._processors()
        self._workers: list[_Worker[S]] = []
        self._flying: dict[Any, tuple[_Worker[S], _Task[S] | None]] = {}
        self._waiting: deque[_Task[S]] = deque()
        self._failed_starts = 0
        self._alone_since = time.monotonic()

    def __enter__(self) -> RayPool[S, R]:
        try:
            self._actor = self._ray.remote(Actor)
            for _ in range(self.count):
                self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the workers; what they had is as if it was never begun."""
        for worker in self._workers:
            # The cluster may be gone; what ended the run must not be hidden by that.
            with contextlib.suppress(Exception):
                self._ray.kill(worker.actor)
        self._workers, self._flying = [], {}

    def in_order(self, chunks: Iterable[list[S]]) -> Iterator[tuple[int, list[R]]]:
        """Do all of them.

        Yields:
            Of each chunk how many items it has, and its results; several of a chunk
            that had to be taken apart.

        Raises:
            EngineError: no worker comes up.
        """
        parts: dict[int, _Part[R]] = {}
        source, number, following = iter(chunks), 0, 0
        more = True
        while True:
            while more and len(parts) < AHEAD * self.count:
                chunk = next(source, None)
                if chunk is None:
                    more = False
                    break
                parts[number] = _Part(len(chunk), len(chunk))
                self._waiting.append(_Task(number, 0, chunk))
                number += 1
            if not parts:
                return
            self._hand_out()
            for task, result in self._back():
                part = parts[task.chunk]
                part.results[task.start] = result
                part.missing -= len(task.items)
            while following in parts and not parts[following].missing:
                part = parts.pop(following)
                following += 1
                yield part.size, [part.results[one] for one in sorted(part.results)]

    def _hand_out(self) -> None:
        """Give workers what waits; what died with one before goes to a free one."""
        held: list[_Task[S]] = []
        while self._waiting:
            task = self._waiting.popleft()
            ready = [
                worker
                for worker in self._workers
                if (worker.is_free if task.deaths else worker.has_room)
            ]
            if not ready:
                held.append(task)
                if not task.deaths:
                    break
                continue
            worker = min(ready, key=lambda one: len(one.tasks))
            worker.tasks.append(task)
            reference = worker.actor.do.remote(task.items)
            self._flying[reference] = worker, task
        self._waiting.extendleft(reversed(held))

    def _back(self) -> list[tuple[_Task[S], R]]:
        """What is back, after a wait for the first of it."""
        ready, _ = self._ray.wait(
            list(self._flying), num_returns=1, timeout=_LOOK_SECONDS
        )
        self._require_somebody()
        found: list[tuple[_Task[S], R]] = []
        for reference in ready:
            if reference not in self._flying:  # its worker died, and it went with it
                continue
            worker, task = self._flying.pop(reference)
            try:
                answer = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                # Not of an image, which is a result: it would meet every worker.
                raise EngineError(_broken(error)) from error
            except self._ray.exceptions.RayError as error:
                if task is None:
                    self._failed_starts += 1
                    if self._failed_starts >= _FAILED_STARTS:
                        raise EngineError(_broken(error)) from error
                found += self._bury(worker, task)
                continue
            if task is None:
                self._take_up(worker, answer)
                continue
            worker.tasks.remove(task)
            result, problem = answer
            if problem is not None:
                raise problem
            found.append((task, result))
        return found

    def _take_up(self, worker: _Worker[S], answer: tuple[str, str | None]) -> None:
        version, problem = answer
        if version != __version__:
            raise EngineError(
                f"A worker has fiftyone-reue {version}, this is {__version__}; install "
                "the same on every machine of the cluster"
            )
        if problem is not None:
            raise EngineError(
                "A worker of the Ray cluster has a GPU that can't be computed on: "
                f"install PyTorch with CUDA there, or do it on processors "
                f"({GPUS_VARIABLE}=off). It is on {problem}"
            )
        worker.begun = True
        self._failed_starts = 0

    def _bury(
        self, worker: _Worker[S], task: _Task[S] | None
    ) -> list[tuple[_Task[S], R]]:
        """Do without a worker that died: another takes its place and its tasks.

        Returns:
            What no further worker is to die of.
        """
        lost = [*([task] if task else []), *(t for t in worker.tasks if t is not task)]
        self._flying = {
            reference: (whose, what)
            for reference, (whose, what) in self._flying.items()
            if whose is not worker
        }
        self._workers.remove(worker)
        self._ray.kill(worker.actor)  # it may only be out of reach
        self._start()
        given_up: list[tuple[_Task[S], R]] = []
        for one in lost:
            one.deaths += 1
            if one.deaths < MOST_DEATHS:
                self._waiting.appendleft(one)
            elif len(one.items) > 1:
                self._waiting.extendleft(
                    _Task(one.chunk, one.start + place, [item], 1)
                    for place, item in reversed(list(enumerate(one.items)))
                )
            elif one.deaths == MOST_DEATHS:  # alone it gets one more try
                self._waiting.appendleft(one)
            else:
                given_up.append((one, self._lost(one.items[0])))
        return given_up

    def _start(self) -> None:
        actor = self._actor.options(
            num_cpus=1,
            num_gpus=self.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        ).remote(self.gpus > 0)
        worker: _Worker[S] = _Worker(actor)
        self._workers.append(worker)
        # By a call and not the constructor: what that is given is kept by the head.
        begun = actor.begin.remote(self._do, self._folder)
        self._flying[begun] = worker, None

    def _require_somebody(self) -> None:
        if any(worker.begun for worker in self._workers):
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > START_SECONDS:
            raise EngineError(
                "No worker of the Ray cluster came up for "
                f"{START_SECONDS / 60:.0f} minutes; has it a free processor"
                f"{' and GPU' if self.gpus else ''} (ray status)? What was finished is "
                "kept"
            )

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _processors(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))


def _broken(error: BaseException) -> str:
    last: Sequence[str] = str(error).strip().splitlines()
    return (
        "The workers of the Ray cluster can't do this: "
        f"{last[-1].strip() if last else type(error).__name__}; is fiftyone-reue "
        f"{__version__} installed on every machine ({INSTALL})?"
    )
