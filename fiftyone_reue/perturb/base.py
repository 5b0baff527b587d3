"""The one shape that every perturbation method has.

A method is fitted once a dataset (or needs no fitting), and then gives each image
a small integer pattern. The pattern is stretched over the image by whole cells
(:func:`fiftyone_reue.media.offsets.expand`), so that taking it away again needs
neither a network nor floating point.
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from fiftyone_reue.errors import InputError


@dataclass(frozen=True)
class MethodInfo:
    """What a user must know of a method before choosing it.

    Attributes:
        name: the registry's key.
        title: a few words for a menu.
        paper: where it comes from.
        needs_fit: whether :meth:`Method.fit` looks at the images.
        uses_gpu: whether a GPU makes fitting faster.
        cost: what fitting costs, in words.
    """

    name: str
    title: str
    paper: str
    needs_fit: bool
    uses_gpu: bool
    cost: str


@dataclass(frozen=True)
class FitData:
    """Images to fit on, already at the method's working size.

    Attributes:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64, indices into ``classes``.
        classes: the class names, sorted.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What fitting leaves, enough to perturb any image of the known classes.

    Attributes:
        method: the method's registry key.
        classes: the class names that the tables' first axis stands for.
        tables: ``(classes, variants, h, w, c)`` int8 in gray levels, c 1 or 3.
        summary: figures worth showing (seconds, surrogate accuracy ...).
    """

    method: str
    classes: tuple[str, ...]
    tables: np.ndarray
    summary: dict = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The state as bytes, for sealing."""
        about = json.dumps(
            {"method": self.method, "classes": self.classes, "summary": self.summary}
        )
        buffer = io.BytesIO()
        np.savez_compressed(buffer, tables=self.tables, about=np.array(about))
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> State:
        """What :meth:`to_bytes` was called on."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            classes = tuple(about["classes"])
            return State(about["method"], classes, arrays["tables"], about["summary"])


class Method(ABC):
    """A perturbation method; stateless, everything fitted is in a State."""

    info: MethodInfo

    @abstractmethod
    def fit(
        self,
        data: FitData,
        *,
        amplitude: int,
        seed: int,
        key: bytes,
        device: str = "auto",
    ) -> Generator[float, None, State]:
        """Make the state for these classes, step by step.

        A generator: it yields the fraction done, 0 to 1, and returns the state.
        Closing it stops the fit.

        Args:
            data: the owner's images; a method without fitting reads its classes.
            amplitude: largest absolute value in the tables, gray levels, 1..127.
            seed: for everything random that need not be secret.
            key: 32 bytes, for everything random that must be.
            device: "auto", "cpu" or a torch device.
        """

    @abstractmethod
    def pattern(
        self, state: State, label: str, sample_key: bytes, colours: int
    ) -> np.ndarray:
        """Choose one image's pattern.

        Args:
            state: what :meth:`fit` returned.
            label: the image's class, one of ``state.classes``.
            sample_key: at least 32 pseudo-random bytes of this release and sample.
            colours: the image's colour channels, 1 or 3.

        Returns:
            ``(h, w, c)`` int8 in gray levels, c 1 or ``colours``.

        Raises:
            InputError: the class is not among those fitted.
        """


def class_index(state: State, label: str) -> int:
    """Where a class stands in a state's tables.

    Raises:
        InputError: the class was not there when the state was fitted.
    """
    try:
        return state.classes.index(label)
    except ValueError:
        raise InputError(
            f"Class {label!r} was not there when the tables were fitted; "
            "protect again with a new fit (--refit) to include it"
        ) from None
