"""What a carrier makes of an original: ``O -> W -> P``, before it is sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fiftyone_reue.media.original import Described
from fiftyone_reue.media.raster import Loaded, Raster
from fiftyone_reue.perturb.base import Method, State
from fiftyone_reue.perturb.reversal import Content


@dataclass(frozen=True, eq=False)
class Job:
    """One original, and what is done to it.

    Attributes:
        name: what errors call it.
        source: its file's bytes.
        loaded: what was read from them.
        suffix: the file's name to seal, or its suffix alone.
        digest: of the original's samples.
        mark: ``(H, W, 1)`` int8, what makes W of it, gray levels.
        mark_amplitude: the largest of that.
        method: what perturbs W.
        label: the image's class.
        sample_key: of this release and sample, 32 bytes.
        epsilon: by how much a sample may change in all, gray levels.
        whole_files: see :func:`fiftyone_reue.media.original.describe`.
    """

    name: str
    source: bytes
    loaded: Loaded
    suffix: str
    digest: bytes
    mark: np.ndarray
    mark_amplitude: int
    method: Method
    label: str
    sample_key: bytes
    epsilon: int
    whole_files: bool = False

    @property
    def raster(self) -> Raster:
        """The original."""
        return self.loaded.raster


@dataclass(frozen=True, eq=False)
class Tried:
    """An original perturbed with one state, of which no file was made yet.

    Attributes:
        shown: gives what P shows, of the original's shape and type.
        copy: makes the copy, which takes longer.
    """

    shown: Callable[[], np.ndarray]
    copy: Callable[[], Copy]


Try = Callable[[State], Tried]
"""What a carrier makes of an original, for any state of its method."""


@dataclass(frozen=True, eq=False)
class Copy:
    """A protected copy, and what its record is to hold.

    Attributes:
        format: of P's file.
        written: P's file with what metadata it may carry and a record.
        digests: of O, W and P, as the record has them.
        content: of the recipient's box.
        lost: what the owner's box needs to take the mark off.
        file: what makes the original's file.
        withheld: kinds of what the copy doesn't carry.
        prove: given what was read back from the written file, raises VerificationError
            unless everything comes back exactly.
    """

    format: str
    written: Callable[[bytes], bytes]
    digests: tuple[bytes, bytes, bytes]
    content: Content
    lost: bytes
    file: Described
    withheld: tuple[str, ...]
    prove: Callable[[Loaded], None]
