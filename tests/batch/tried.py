"""Work that leaves a trace, for workers in other processes."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.on_ray import Actor
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.errors import InputError, OutputError


@dataclass(frozen=True)
class Result:
    name: str
    process: int
    size: int = 10
    devices: str | None = None


@dataclass(frozen=True)
class Work:
    """Marks in a folder what was begun, and takes its time.

    Attributes:
        folder: where each try of each item leaves a file.
        seconds: for an item.
        deadly: the items that kill whoever has them.
        wrong: the items that can't be done, or that end the run.
    """

    folder: Path
    seconds: float = 0.0
    deadly: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()

    def __call__(self, item: Item) -> Result:
        name = item.sample_id
        (self.folder / f"{name}.{os.getpid()}").touch()
        if name in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if name in self.wrong:
            raise InputError(f"{name}: this can't be done")
        if name in self.fatal:
            raise OutputError("the disk is full")
        time.sleep(self.seconds)
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        return Result(name, os.getpid(), devices=devices)

    def tries(self) -> list[str]:
        return sorted(path.name.split(".")[0] for path in self.folder.iterdir())

    def processes(self) -> set[int]:
        return {int(path.name.split(".")[1]) for path in self.folder.iterdir()}


class Pretending(Actor):
    """A worker for whom any GPU is one."""

    def gpu_problem(self) -> None:
        return None


def items(count: int) -> list[Item]:
    return [Item(f"{i:04}", f"nowhere/{i}", None, "") for i in range(count)]


def check_that_all_is_done(steps: Callable[..., Iterable[int]], folder: Path) -> None:
    """Every item is done once and in order, elsewhere, and one that can't be is named.

    Args:
        steps: runs a number of items with a work, a list of results and an outcome.
        folder: empty.
    """
    work, done, outcome = Work(folder, wrong=("0007",)), [], Outcome()
    behind = list(steps(70, work, done, outcome))
    left = [item.sample_id for item in items(70) if item.sample_id != "0007"]
    assert [one.name for one in done] == left
    assert work.tries() == sorted([*left, "0007"])
    assert [(one.sample_id, one.reason) for one in outcome.failures] == [
        ("0007", "0007: this can't be done")
    ]
    assert outcome.done == 69
    assert behind == [32, 64, 70]
    assert os.getpid() not in work.processes()
