"""Worker processes of this machine.

Threads take turns where Python itself computes, which is half of the time of a
photograph of 224 pixels and most of it of smaller ones; processes don't. Each is begun
with what is done and gets chunks of items after that.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from fiftyone_reue.errors import EngineError

GUARD = "A Python script must begin such work below if __name__ == '__main__'"

S = TypeVar("S")
R = TypeVar("R")

_do: Callable[[Any], Any] | None = None
"""In a worker what is done with a chunk."""


def require_children() -> None:
    """Make sure that this process may have workers.

    Raises:
        EngineError: it may not.
    """
    process = multiprocessing.current_process()
    if getattr(process, "_inheriting", False):
        # A worker reads the script that started it. What it made to start others would
        # be told as leaked after the message, where it is ended meanwhile.
        raise EngineError(f"A worker began the script again. {GUARD}")
    if process.daemon:
        raise EngineError(
            "This process is itself a worker that may start no others; leave the "
            "engine out (local)"
        )


@contextmanager
def pool(
    do: Callable[[list[S]], R], count: int
) -> Iterator[Callable[[list[S]], Future[R]]]:
    """Workers, until the block ends; what they have is done first, unless it ends by
    an error, an interrupt for one. They write nothing, so nothing is half-written then.

    Args:
        do: what is done with a chunk; pickled, with all that it holds.
        count: how many workers.

    Yields:
        What gives a chunk to the next of them.

    Raises:
        EngineError: one of them died, or none could be started.
    """
    started = _Started()
    workers = ProcessPoolExecutor(
        count, mp_context=started, initializer=_begin, initargs=(do,)
    )

    def submit(items: list[S]) -> Future[R]:
        with _uninterrupted():
            return workers.submit(_done, items)

    try:
        yield submit
    except BaseException as error:
        # Waiting for them could be interrupted as well, and then nobody would end them.
        started.kill()
        if isinstance(error, BrokenProcessPool):
            raise EngineError(
                "A worker process died, of too little memory perhaps; what was "
                "finished is kept. Run it again with fewer workers, or in threads "
                f"(engine local). {GUARD}"
            ) from error
        raise
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hears an interrupt when the block has ended.

    A pool that is interrupted while it starts a worker or its own thread can't be shut
    down any more.
    """
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not (main and callable(before)):  # then none is raised here
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *interrupt: heard.append(interrupt))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(*heard[0])


class _Deaf(SpawnProcess):
    """Hears no interrupt, which reaches all processes of a terminal.

    The first process decides what follows; a worker that is still starting would only
    print where it was.
    """

    def start(self) -> None:
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            super().start()
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()  # which inherits what is blocked
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Started(SpawnContext):
    """Starts processes anew, and knows them.

    A fork of a process with threads may wait for ever for what they held.
    """

    def __init__(self) -> None:
        super().__init__()
        self._processes: list[BaseProcess] = []

    def Process(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> BaseProcess:
        process = _Deaf(*arguments, **options)
        self._processes.append(process)
        return process

    def kill(self) -> None:
        """End all of them at once."""
        for process in self._processes:
            with contextlib.suppress(ValueError):  # it was closed: it has ended
                process.kill()


def _begin(do: Callable[[Any], Any]) -> None:
    global _do
    # Also where a start can't be deaf.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Every worker has its own images; products spread over cores would contend.
    threadpool_limits(1, user_api="blas")
    _do = do


def _end_with_parent() -> None:
    """End where the parent was killed: nobody else would say that there is no more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _done(items: list[Any]) -> Any:
    assert _do is not None
    return _do(items)
