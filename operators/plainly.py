"""What somebody who calls an operator from Python sees of an error: our sentence first.

FiftyOne makes a text of what an operator raises, that begins with the traceback
through its own files and names our sentence at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Collection, Iterator
from typing import Any

from fiftyone.operators.executor import ExecutionError

_OURS = re.compile(r"^fiftyone_reue\.[\w.]+: ", re.MULTILINE)
_INVALID = "Validation error. Path: "


@contextlib.contextmanager
def raised(names: Collection[str]) -> Iterator[None]:
    """Raise FiftyOne's errors with a text that begins with what to do.

    Args:
        names: the operator's parameters.

    Raises:
        ExecutionError: one was raised.
    """
    try:
        yield
    except ExecutionError as error:
        raise ExecutionError(said(str(error), names)) from None


def awaited(task: asyncio.Task[Any], names: Collection[str]) -> asyncio.Task[Any]:
    """In a notebook, where FiftyOne gives a task: one that raises such errors.

    FiftyOne's own has a result that failed, which says nothing until it is asked.
    """
    return asyncio.get_running_loop().create_task(_await(task, names))


async def _await(task: asyncio.Task[Any], names: Collection[str]) -> Any:
    with raised(names):
        result = await task
        result.raise_exceptions()
    return result


def said(error: str, names: Collection[str]) -> str:
    """An error of FiftyOne's with our sentence first, and which parameter it is about.

    What isn't an error of ours is a fault of the program, and keeps its traceback.
    """
    from fiftyone_reue.samples.jobs import problem_of

    problem = problem_of(error)
    if error.startswith(_INVALID):
        path = error.removeprefix(_INVALID).partition(". Reason: ")[0]
        return f"{path}: {problem}" if path in names else problem
    return problem if _OURS.search(error) else f"{problem}\n\n{error}"
