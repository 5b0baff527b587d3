"""Worker processes of this machine.

Threads take turns where Python itself computes, which is half of the time of a
photograph of 224 pixels and most of it of smaller ones; processes don't. Each is begun
with what is done and gets chunks of items after that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from fiftyone_reue.errors import EngineError

S = TypeVar("S")
R = TypeVar("R")

_do: Callable[[Any], Any] | None = None
"""In a worker what is done with a chunk."""


def require_children() -> None:
    """Make sure that this process may have workers.

    Raises:
        EngineError: it may not.
    """
    if multiprocessing.current_process().daemon:
        raise EngineError(
            "This process is itself a worker that may start no others; leave the "
            "engine out (local)"
        )


@contextmanager
def pool(
    do: Callable[[list[S]], R], count: int
) -> Iterator[Callable[[list[S]], Future[R]]]:
    """Workers, until the block ends; what they have then is done first.

    Args:
        do: what is done with a chunk; pickled, with all that it holds.
        count: how many workers.

    Yields:
        What gives a chunk to the next of them.

    Raises:
        EngineError: one of them died, or none could be started.
    """
    workers = ProcessPoolExecutor(
        count,
        # A fork of a process with threads may wait for ever for what they held.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(do,),
    )
    try:
        yield lambda items: workers.submit(_done, items)
    except BrokenProcessPool as error:
        raise EngineError(
            "A worker process died, of too little memory perhaps; what was finished is "
            "kept. Run it again with fewer workers, or in threads (engine local). A "
            "Python script must begin such work below if __name__ == '__main__'"
        ) from error
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _begin(do: Callable[[Any], Any]) -> None:
    global _do
    # An interrupt reaches all processes of a terminal; the first decides what follows.
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
