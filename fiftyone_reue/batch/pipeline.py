"""The one batch loop: read and compute by an engine, then commit in batches.

Memory is bounded whatever the number of items: a few chunks are in flight, and what
they return is committed once it reaches a number of items or of bytes. Problems of
one item are collected and the rest goes on; problems that every item would meet
(disk full, ledger gone) end the run with what was committed kept.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, Generic, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from fiftyone_reue.batch import interrupts
from fiftyone_reue.batch.engines import LOCAL, PROCESSES, RAY, check_engine
from fiftyone_reue.errors import FATAL, ReueError
from fiftyone_reue.names.display import printable
from fiftyone_reue.stores.address import is_url
from fiftyone_reue.together import each

CHUNK_ITEMS = 32
CHUNK_BYTES = 4 << 20
COMMIT_ITEMS = 256
COMMIT_BYTES = 64 << 20
TINY = 4096
"""Bytes. Threads that do files under it mostly wait for one another: of 4,000 images of
32 pixels two take a third longer than one."""
ASKED = 1 << 20
"""Bytes that an object in a store is taken for."""
AHEAD = 4
"""So many chunks a process are begun while a batch is committed."""
COMMIT_SECONDS = 10.0
"""So much work at most is lost if the process is killed."""


class Source(Protocol):
    """Anything that stands for one file to read."""

    @property
    def path(self) -> str: ...

    @property
    def sample_id(self) -> str: ...


class Sized(Protocol):
    """A result that knows how many bytes it holds."""

    @property
    def size(self) -> int: ...


S = TypeVar("S", bound=Source)
R = TypeVar("R", bound=Sized)


@dataclass(frozen=True)
class Failure:
    """One item that could not be done.

    Attributes:
        sample_id: which.
        path: its file.
        reason: the error's text, for a person.
    """

    sample_id: str
    path: str
    reason: str


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        done: items finished in this run.
        skipped: items that an earlier run had finished.
        failures: items that could not be done.
    """

    done: int = 0
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass
class _Chunk(Generic[S, R]):
    results: list[R]
    failures: list[Failure]


Do = Callable[[list[S]], _Chunk[S, R]]
"""Does a chunk."""

Done = Callable[[Iterable[list[S]]], Iterator[tuple[int, list[_Chunk[S, R]]]]]
"""Does chunks: gives of each, in order, how many items it has and what became of it."""


def run(
    items: Iterable[S],
    work: Callable[[S], R],
    commit: Callable[[list[R]], Sequence[Failure] | None],
    outcome: Outcome,
    *,
    workers: int | None = None,
    chunk_items: int | None = None,
    engine: str = LOCAL,
    together: bool = False,
    gains_by_gpu: bool = False,
) -> Generator[int, None, None]:
    """Do ``work`` on every item and ``commit`` the results in batches.

    Args:
        items: what to do, in order.
        work: called in threads, or, pickled with all that it holds, by other
            processes; raises a ReueError for what is wrong with one item.
        commit: called in this thread with one batch at a time; returns a failure for
            each result that couldn't be written though the others could.
        outcome: filled in as the run goes on.
        workers: threads, processes, or workers on Ray; by default one a processor, and
            one thread for files under :data:`TINY`.
        chunk_items: how many a thread does at a time, at most; fewer where each takes
            seconds, so that it is said how far the run is.
        engine: see :mod:`fiftyone_reue.batch.engines`.
        together: whether networks are asked for a chunk's images at once, by
            :func:`fiftyone_reue.together.asked`; ``work`` then must not ask while it
            holds a lock.
        gains_by_gpu: whether workers on Ray are to have a share of a GPU, if there are
            any; threads and processes take the one that is there.

    Yields:
        How many items are behind us, after each chunk. Closing the generator stops
        the run, and commits what is behind us; what was begun beyond is as if never
        begun.

    Raises:
        OutputError, LedgerUnavailableError: nothing more can be written.
        MissingPackageError, EngineError: there is no such engine here, or it has no
            workers.
    """
    check_engine(engine, workers)
    batch: list[R] = []
    behind = 0
    committed = time.monotonic()
    chunks = _chunks(items, chunk_items or CHUNK_ITEMS)
    first = list(islice(chunks, 1))
    if workers is None and engine == LOCAL and _are_tiny(first):
        workers = 1
    do = partial(_do_chunk, work=work, together=together)
    more = {"gains": gains_by_gpu} if engine == RAY else {}
    with _OPENING[engine](do, workers, **more) as in_order:
        try:
            for done, parts in in_order(chain(first, chunks)):
                for chunk in parts:
                    outcome.failures += chunk.failures
                    batch += chunk.results
                behind += done
                full = sum(result.size for result in batch) >= COMMIT_BYTES
                late = time.monotonic() - committed >= COMMIT_SECONDS
                if batch and (full or late or len(batch) >= COMMIT_ITEMS):
                    _commit(batch, commit, outcome)
                    batch = []
                    committed = time.monotonic()
                yield behind
            if batch:
                _commit(batch, commit, outcome)
        except GeneratorExit:
            if batch:
                _commit(batch, commit, outcome)
            raise


@contextmanager
def _threads(do: Do[S, R], workers: int | None) -> Iterator[Done[S, R]]:
    count = workers or default_workers()
    # Every thread has its own image; products spread over cores would only contend.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
        try:
            yield partial(
                _in_order, lambda chunk: pool.submit(do, chunk), window=2 * count
            )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _in_processes(do: Do[S, R], workers: int | None) -> Iterator[Done[S, R]]:
    from fiftyone_reue.batch.in_processes import pool

    count = workers or default_workers()
    with pool(do, count) as submit:
        yield partial(_in_order, submit, window=AHEAD * count)


@contextmanager
def _on_ray(do: Do[S, R], workers: int | None, *, gains: bool) -> Iterator[Done[S, R]]:
    from fiftyone_reue.batch.on_ray import RayPool

    pool: RayPool[S, _Chunk[S, R]] = RayPool(do, _lost, workers, gains=gains)
    with pool:
        yield pool.in_order


_OPENING: dict[str, Callable[..., AbstractContextManager[Done[Any, Any]]]] = {
    LOCAL: _threads,
    PROCESSES: _in_processes,
    RAY: _on_ray,
}


def _lost(item: Source) -> _Chunk[S, R]:
    reason = (
        "every worker that was given this image died, of too little memory perhaps; "
        "leave it out, or do it on a machine with more"
    )
    return _Chunk([], [Failure(item.sample_id, item.path, reason)])


def _commit(
    batch: list[R],
    commit: Callable[[list[R]], Sequence[Failure] | None],
    outcome: Outcome,
) -> None:
    with interrupts.held():  # or files would be there that no ledger knows
        refused = commit(batch) or ()
        outcome.done += len(batch) - len(refused)
        outcome.failures += refused


def default_workers() -> int:
    """Threads to use: the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1  # macOS and Windows


def _in_order(
    submit: Callable[[list[S]], Future[_Chunk[S, R]]],
    chunks: Iterable[list[S]],
    window: int,
) -> Iterator[tuple[int, list[_Chunk[S, R]]]]:
    flying: deque[tuple[int, Future[_Chunk[S, R]]]] = deque()
    for chunk in chunks:
        flying.append((len(chunk), submit(chunk)))
        if len(flying) >= window:
            size, future = flying.popleft()
            yield size, [future.result()]
    while flying:
        size, future = flying.popleft()
        yield size, [future.result()]


def _do_chunk(items: list[S], work: Callable[[S], R], together: bool) -> _Chunk[S, R]:
    tried = partial(_tried, work)
    done = each(tried, items) if together else map(tried, items)
    chunk: _Chunk[S, R] = _Chunk([], [])
    for one in done:
        if isinstance(one, Failure):
            chunk.failures.append(one)
        else:
            chunk.results.append(one)
    return chunk


def _tried(work: Callable[[S], R], item: S) -> R | Failure:
    try:
        return work(item)
    except FATAL:
        raise
    except ReueError as error:
        return Failure(item.sample_id, item.path, str(error))
    except MemoryError:
        reason = "There was not enough memory for this image"
        return Failure(item.sample_id, item.path, reason)


def _chunks(items: Iterable[S], most: int) -> Iterator[list[S]]:
    """Few large files or many small ones, so that threads neither wait nor hoard."""
    chunk: list[S] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += _file_size(item.path)
        if len(chunk) >= most or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _are_tiny(chunks: Sequence[Sequence[Source]]) -> bool:
    files = [item for chunk in chunks for item in chunk]
    return sum(_file_size(item.path) for item in files) < TINY * len(files)


def _file_size(path: str) -> int:
    if is_url(path):
        return ASKED  # asking would take as long as reading
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def first_failures(failures: list[Failure], count: int = 3) -> str:
    """A few failures as lines of text, and how many more there are."""
    reasons = [f"{failure.sample_id}: {failure.reason}" for failure in failures[:count]]
    lines = [printable(line) for line in reasons]
    if len(failures) > count:
        lines.append(f"... and {len(failures) - count} more")
    return "\n".join(lines)
