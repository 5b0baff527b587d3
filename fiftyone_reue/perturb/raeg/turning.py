"""How RAEG turns one image, and turns it back.

Stripes of the image's class are added first, then the invertible network
(:mod:`fiftyone_reue.invertible.adversarial`) changes the result together with the
image's code. Everything is in whole numbers, the same on every machine, and everything
that it takes besides the image is in a :class:`Turning`, whose bytes are sealed in the
record.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.invertible.working import levels_for, means, spread
from fiftyone_reue.media import packing
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.gratings import CELLS, Code, soft_grating
from fiftyone_reue.together import asked

if TYPE_CHECKING:
    import torch

    from fiftyone_reue.invertible.adversarial import AdversarialNetwork

LONGEST = 128
"""The network sees means, as large as possible with a shorter side up to this."""
CODE_LEVEL = 19
"""zstd's, for codes: they are small."""

_FIXED = struct.Struct(">BB8s")
_STRIPED = 0x80
"""Beside the length of the weights' name: stripes are described after it."""
_WAVE = struct.Struct(">BBH")


@dataclass(frozen=True)
class Stripes:
    """A soft grating over the whole image.

    Attributes:
        strength: root mean square in 1/16 gray levels, 1..255.
        waves: the class's, see :mod:`fiftyone_reue.perturb.gratings`.
        phases: the sample's own, one a wave, in 1/1024 turns.
    """

    strength: int
    waves: Code
    phases: tuple[int, ...]

    def over(self, height: int, width: int) -> np.ndarray:
        """``(height, width, 1)`` int8; smaller images get a part of the tile."""
        tile = soft_grating(self.waves, self.phases, CELLS, self.strength)
        return expand(tile[:height, :width], height, width)

    def pack(self) -> bytes:
        """As :meth:`unpack` reads it."""
        pairs = zip(self.waves, self.phases, strict=True)
        waves = b"".join(_WAVE.pack(*wave, phase) for wave, phase in pairs)
        return bytes([self.strength, len(self.waves)]) + waves

    @classmethod
    def unpack(cls, data: bytes) -> tuple[Stripes, bytes]:
        """Stripes, and the bytes after them.

        Raises:
            struct.error: bytes are missing.
            IndexError: likewise.
            ValueError: there are no waves.
        """
        strength, count, rest = data[0], data[1], data[2:]
        if not count:
            raise ValueError("there are no waves")
        read = [_WAVE.unpack_from(rest, n * _WAVE.size) for n in range(count)]
        waves = tuple((down, across) for down, across, _ in read)
        phases = tuple(phase for _, _, phase in read)
        return cls(strength, waves, phases), rest[count * _WAVE.size :]


@dataclass(frozen=True, eq=False)
class Turning:
    """Everything that a change depends on besides the image.

    Attributes:
        weights: the trained network's name, at most 127 bytes.
        identity: 8 bytes of those weights.
        amplitude: the largest change, gray levels.
        stripes: of the image's class, or None.
        code: int8 whole numbers, flat, see :meth:`code_for`.
    """

    weights: str
    identity: bytes
    amplitude: int
    stripes: Stripes | None = None
    code: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))

    def code_for(self, colours: int, height: int, width: int) -> np.ndarray:
        """The code for a network that sees so many rows and columns.

        Returns:
            ``(1, colours, height / 2, width / 2)`` float64.

        Raises:
            DamagedRecordError: it was made for another size.
        """
        shape = (1, colours, height // 2, width // 2)
        if self.code.size != np.prod(shape):
            raise DamagedRecordError(
                "The record doesn't fit this image: its code has another size"
            )
        return self.code.reshape(shape).astype(np.float64)

    def pack(self) -> bytes:
        """For the record; :meth:`unpack` reads it."""
        name = self.weights.encode()
        flag = _STRIPED if self.stripes else 0
        head = _FIXED.pack(len(name) | flag, self.amplitude, self.identity) + name
        stripes = self.stripes.pack() if self.stripes else b""
        return head + stripes + packing.pack(self.code.tobytes(), CODE_LEVEL)

    @classmethod
    def unpack(cls, secret: bytes) -> Turning:
        """Read what :meth:`pack` wrote.

        Raises:
            DamagedRecordError: it isn't that.
        """
        try:
            length, amplitude, identity = _FIXED.unpack_from(secret)
            end = _FIXED.size + (length & ~_STRIPED)
            name, rest = secret[_FIXED.size : end].decode(), secret[end:]
            stripes = None
            if length & _STRIPED:
                stripes, rest = Stripes.unpack(rest)
            raw = packing.unpack(rest, 3 * LONGEST * LONGEST * 64)
        except (struct.error, IndexError, ValueError) as error:
            raise DamagedRecordError(
                "The record is damaged: how the image was changed can't be read from it"
            ) from error
        code = np.frombuffer(raw, np.int8)
        return cls(name, identity, amplitude, stripes, code)


def striped(turning: Turning, image: np.ndarray) -> np.ndarray:
    """``(H, W, colours)`` uint8 with the stripes on it, int16, not cut off."""
    wide = image.astype(np.int16)
    if turning.stripes is None:
        return wide
    return wide + turning.stripes.over(*image.shape[:2])


def turn(turning: Turning, image: np.ndarray) -> np.ndarray:
    """``(H, W, colours)`` uint8 to int16, not cut off.

    Raises:
        DamagedRecordError: the code was made for another size.
    """
    marked = striped(turning, image)
    return marked + _change(turning, marked)


def turn_back(turning: Turning, moved: np.ndarray) -> np.ndarray:
    """What :func:`turn` was called on, as int16, if nothing was cut off since."""
    marked = moved + _change(turning, moved, backwards=True)
    if turning.stripes is None:
        return marked
    return marked - turning.stripes.over(*moved.shape[:2])


def network_of(turning: Turning) -> tuple[AdversarialNetwork, torch.device]:
    """The network that the weights are for, and where it is."""
    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.invertible.weights import placed_network

    network, device = placed_network(turning.weights, turning.identity)
    if not isinstance(network, AdversarialNetwork):
        name = turning.weights
        raise DamagedRecordError(
            f"The weights {name!r} aren't an adversarial network's"
        )
    return network, device


def _change(
    turning: Turning, image: np.ndarray, *, backwards: bool = False
) -> np.ndarray:
    """What the network adds, ``(H, W, colours)`` int16; whole numbers everywhere.

    The network makes three channels different, which can't be a gray image's: there
    the code is added alone.
    """
    from fiftyone_reue.invertible.at_once import at_once

    network, device = network_of(turning)
    height, width, colours = image.shape
    levels = levels_for(height, width, LONGEST)
    small = means(image, levels, network.config.multiple)
    if colours == 1:
        plain = turning.code_for(1, *small.shape[:2])[0, 0].astype(np.int16)
        added = spread(plain[..., None], levels + 1, height, width)
        return -added if backwards else added
    code = turning.code_for(colours, *small.shape[:2])[0]
    change = asked(
        partial(_added, network, device, backwards=backwards),
        (small.transpose(2, 0, 1), code),
        ("turn", network, backwards, small.shape),
        most=at_once(small.shape[0] * small.shape[1], device),
        held=height * width,
    )
    return spread(change.astype(np.int16).transpose(1, 2, 0), levels, height, width)


def _added(
    network: AdversarialNetwork,
    device: torch.device,
    questions: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    backwards: bool,
) -> list[np.ndarray]:
    """What the network adds to each image, ``(3, h, w)`` float64 whole numbers.

    Args:
        network: which.
        device: where it is.
        questions: ``(3, h, w)`` whole numbers, and the code, ``(3, h / 2, w / 2)``.
        backwards: whether it is run backwards.
    """
    import torch

    from fiftyone_reue.invertible.at_once import side_by_side

    images, codes = zip(*questions, strict=True)
    values, code = side_by_side(images, device), side_by_side(codes, device)
    with torch.no_grad():
        turned = network.inverse if backwards else network
        return list((turned(values, code) - values).cpu().numpy())
