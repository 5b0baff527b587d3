"""Which process does something, so that others can tell whether it is gone."""

from __future__ import annotations

import os
import socket


def this_process() -> str:
    """This process's name: machine, number, and when it was started."""
    import psutil

    started = psutil.Process().create_time()
    return f"{socket.gethostname()}/{os.getpid()}/{started:.0f}"


def is_gone(name: str | None) -> bool:
    """Whether a process is certainly not there any more.

    Args:
        name: of :func:`this_process`; None, and any of another machine, can't be told.
    """
    import psutil

    try:
        host, number, started = str(name).rsplit("/", 2)
        if host != socket.gethostname():
            return False
        process = psutil.Process(int(number))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - float(started)) > 1.5
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False
