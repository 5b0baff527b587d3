"""Running a verb's generator to its end with FiftyOne's own progress bar."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from fiftyone_reue.progress import Progress, finish, mapped

Done = TypeVar("Done")

ProgressOption = bool | Callable[[Any], Any] | None
"""What FiftyOne's own functions take as ``progress``: whether to draw a bar, None
for the default of its configuration, or a function that is given the bar."""

_STEPS = 1000


def run(steps: Generator[Progress, None, Done], progress: ProgressOption) -> Done:
    """Run a verb to its end.

    Args:
        steps: the verb's generator.
        progress: see :data:`ProgressOption`.

    Returns:
        What the generator returns.
    """
    import fiftyone.core.utils as fou

    bar = fou.ProgressBar(total=_STEPS, progress=progress, iters_str="steps")
    with bar:

        def show(step: Progress) -> None:
            bar.set_iteration(int(_STEPS * step.fraction), suffix=step.label)

        done = finish(mapped(steps, show))
        bar.set_iteration(_STEPS)
        return done
