"""Generators that report how far they are, put inside one another."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

Done = TypeVar("Done")
Inner = TypeVar("Inner")
Outer = TypeVar("Outer")


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        fraction: of the whole job, 0 to 1, never falling.
        label: what is being done, for a person.
    """

    fraction: float
    label: str


def mapped(
    steps: Generator[Inner, None, Done], change: Callable[[Inner], Outer]
) -> Generator[Outer, None, Done]:
    """The same generator, each value it yields changed; returns what it returns."""
    try:
        while True:
            try:
                value = next(steps)
            except StopIteration as stop:
                return stop.value
            yield change(value)
    finally:
        steps.close()


def finish(steps: Generator[object, None, Done]) -> Done:
    """Run a generator to its end and give back what it returns; close it anyhow."""
    try:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value
    finally:
        steps.close()
