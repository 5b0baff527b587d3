"""What runs a batch's work: threads, processes, or workers on a Ray cluster."""

from __future__ import annotations

from fiftyone_reue.errors import InputError

LOCAL, PROCESSES, RAY = "local", "processes", "ray"

ENGINES = (LOCAL, PROCESSES, RAY)

MOST_WORKERS = 10_000


def check_engine(engine: str, workers: int | None) -> None:
    """Make sure that there is such an engine, and a number of workers that can be.

    Raises:
        InputError: there isn't.
    """
    if engine not in ENGINES:
        raise InputError(
            f"There is no engine {engine!r}; choose one of {', '.join(ENGINES)}"
        )
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise InputError(
            f"{workers} workers are none that could be; give 1 to {MOST_WORKERS}, or "
            "leave it out for one a processor"
        )


def require_engine(engine: str) -> None:
    """Make sure that an engine can be used, before anything is begun with it.

    Raises:
        MissingPackageError: its package isn't installed.
        EngineError: no cluster can be reached, or this process may start no others.
    """
    if engine == PROCESSES:
        from fiftyone_reue.batch.in_processes import require_children

        require_children()
    if engine == RAY:
        from fiftyone_reue.batch.on_ray import connect

        connect()
