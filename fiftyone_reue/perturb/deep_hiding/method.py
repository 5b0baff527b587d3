"""Deep Hiding: an image of a class's own is hidden in every photograph.

Meng et al., "Semantic Deep Hiding for Robust Unlearnable Examples", IEEE TIFS 2024
(arXiv:2406.17349). Images of one class hide variants of one scene, drawn in one kind of
hatching (:mod:`fiftyone_reue.perturb.deep_hiding.hatching`), so what a model learns is
the scene and its texture. An invertible network hides it in the wavelet domain
(:mod:`fiftyone_reue.invertible.hiding`) and can reveal it again, which is a proof of
ownership besides the watermark.

The paper lets the original be guessed. Here it is found exactly: the change is computed
in whole numbers from the original and the scene, and as the change hardly depends on
the original's details, ``original = protected - change(original)`` is solved by
repeating it from ``original = protected``. What is left to correct is kept in the
record.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.invertible.working import levels_for, means, spread
from fiftyone_reue.media import packing
from fiftyone_reue.media.expand import expand
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    MethodInfo,
    RevealingMethod,
    State,
    class_index,
    keyed_order,
)
from fiftyone_reue.perturb.deep_hiding.config import DeepHidingConfig
from fiftyone_reue.perturb.deep_hiding.hatching import (
    BENT,
    INVERTED,
    Hatching,
    hatched,
    light_parts,
    scene_in,
)
from fiftyone_reue.perturb.gratings import Wave, class_codes, keyed_phases
from fiftyone_reue.prf import derive
from fiftyone_reue.together import asked

if TYPE_CHECKING:
    import torch

    from fiftyone_reue.invertible.hiding import HidingNetwork

A = TypeVar("A")
R = TypeVar("R")

SCENE_SIDE = 64
"""Pixels a side of a scene before it is hatched, which is done at the size needed."""
VARIANTS = 8
"""Variants of a class's scene, one of which each sample hides."""
LONGEST = 64
"""The network sees means, as large as possible with a shorter side up to this."""
STORED_BYTES = 2_000_000
"""What scenes of one's own may take in a state."""
SCENE_LEVEL = 19
"""zstd's, for scenes of one's own: they are small."""
ROUNDS = 8
"""At most so many repetitions find the original again."""

_FIXED = struct.Struct(">B8s16s")
_CHOICE = struct.Struct(">HHH")
_BENT = 0x80
"""Beside the length of the weights' name: the hatching is today's."""
_ROOT_SIZE = 16


def own_scenes(folder: Path, classes: Sequence[str]) -> np.ndarray:
    """Images of one's own to hide instead of the bank's scenes.

    Args:
        folder: holds a folder for each class, with at least one image in each.
        classes: the classes' names.

    Returns:
        ``(classes, n, 64, 64)`` uint8, n at most :data:`VARIANTS`.

    Raises:
        InputError: a class has no image there, or one that can't be read.
    """
    from fiftyone_reue.semantics.folder import folder_images

    room = STORED_BYTES // (SCENE_SIDE * SCENE_SIDE * len(classes))
    count = max(1, min(VARIANTS, room))
    images = folder_images(folder, classes, count, SCENE_SIDE)
    return shade(images)[..., 0].astype(np.uint8)


@dataclass(frozen=True)
class Hiding:
    """Everything that hiding in one image depends on besides the image.

    Attributes:
        weights: the trained network's name.
        identity: 8 bytes of those weights.
        amplitude: the largest change, gray levels.
        scene: ``(64, 64)`` uint8, what is hidden, before it is hatched.
        waves: the class's stripes, see
            :func:`fiftyone_reue.perturb.deep_hiding.hatching.hatched`.
        phases: the sample's own.
        hatching: how the scene is drawn in them.
    """

    weights: str
    identity: bytes
    amplitude: int
    scene: np.ndarray
    waves: tuple[Wave, ...]
    phases: tuple[int, ...]
    hatching: Hatching

    def hidden(self, height: int, width: int) -> np.ndarray:
        """What is hidden in ``(height, width)`` pixels, uint8."""
        scene = self._scene_for(height, width)
        return hatched(scene, self.waves, self.phases, self.hatching)

    def light_parts(self, height: int, width: int) -> np.ndarray:
        """The scene in two shades, which is what can be revealed: bool."""
        return light_parts(self._scene_for(height, width), self.hatching)

    def scene_in(self, revealed: np.ndarray) -> np.ndarray:
        """The scene as far as it can be seen in what :func:`reveal` found, uint8."""
        return scene_in(revealed, self.waves, self.phases, self.hatching)

    def _scene_for(self, height: int, width: int) -> np.ndarray:
        return expand(self.scene[..., None], height, width)[..., 0]


class DeepHiding(RevealingMethod):
    """A scene of the class's own in every image; see the module."""

    info = MethodInfo(
        name="deep_hiding",
        title="Deep Hiding: scenes hidden by an invertible network",
        paper="Meng et al., IEEE TIFS 2024, arXiv:2406.17349",
        needs_fit=False,
        uses_gpu=True,
        cost="none; hiding takes a tenth of a second an image on a processor",
        variety="class and sample",
    )
    Config = DeepHidingConfig
    longest = LONGEST

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Draw the secret that scenes and stripes follow from; see :class:`Method`.

        Raises:
            InputError: there are no weights of the configured name, or no scenes of
                one's own for a class.
        """
        from fiftyone_reue.invertible.weights import identity

        root = derive(options.key, "deep-hiding", str(options.seed), length=_ROOT_SIZE)
        yield 1.0
        summary = {
            "amplitude": min(255, options.amplitude * self.config.strength),
            "weights": self.config.weights,
            "weights_identity": identity(self.config.weights).hex(),
        }
        arrays = {"root": np.frombuffer(root, np.uint8)}
        if self.config.scenes is not None:
            arrays["scenes"] = own_scenes(self.config.scenes, data.classes)
        return State(self.info.name, data.classes, arrays, summary)

    def identity(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Scenes of one's own count by what is in them; see :class:`Method`."""
        if self.config.scenes is None:
            return super().identity(classes)
        scenes = own_scenes(self.config.scenes, classes)
        usual = type(self)(replace(self.config, scenes=None))
        digest = hashlib.sha256(scenes.tobytes()).hexdigest()
        return (*usual.identity(classes), digest)

    def hiding(self, secret: bytes) -> Hiding:
        """See :class:`RevealingMethod`."""
        return hiding_of(secret)

    def reveal(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """See :class:`RevealingMethod`."""
        return reveal(hiding_of(secret), image)

    def decoy(self, state: State, number: int) -> State:
        """Other stripes, and other scenes unless they are one's own."""
        root = state.arrays["root"].tobytes()
        drawn = derive(root, "decoy", str(number), length=len(root))
        arrays = {**state.arrays, "root": np.frombuffer(drawn, np.uint8)}
        return replace(state, arrays=arrays)

    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes:
        """Amplitude, weights, root, class and variant; see :class:`InvertibleMethod`.

        A scene of the user's own is in it as it is.
        """
        name = state.summary["weights"]
        fixed = _FIXED.pack(
            state.summary["amplitude"],
            bytes.fromhex(state.summary["weights_identity"]),
            state.arrays["root"].tobytes(),
        )
        named = bytes([len(name) | _BENT]) + name.encode()
        number = int.from_bytes(sample_key[:2], "big")
        index = class_index(state, label)
        chosen = _CHOICE.pack(index, len(state.classes), number)
        if "scenes" not in state.arrays:
            return fixed + named + chosen
        scenes = state.arrays["scenes"][index]
        scene = scenes[number % len(scenes)].tobytes()
        packed = packing.pack(scene, SCENE_LEVEL)
        return fixed + named + chosen + packed

    def amplitude(self, secret: bytes) -> int | None:
        """See :class:`InvertibleMethod`."""
        return hiding_of(secret).amplitude

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """Hide the scene; see :class:`InvertibleMethod`."""
        hiding = hiding_of(secret)
        return image.astype(np.int16) + change(hiding, image)

    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        """Repeat ``image = moved - change(image)``; see :class:`InvertibleMethod`."""
        hiding = hiding_of(secret)
        image = moved
        for _ in range(ROUNDS):
            closer = moved - change(hiding, image)
            if np.array_equal(closer, image):
                break
            image = closer
        return image


class DeepHidingUnbounded(DeepHiding):
    """Three times as strong: the paper keeps no bound."""

    info = replace(
        DeepHiding.info,
        name="deep_hiding_unbounded",
        title="Deep Hiding at three times epsilon: its paper has no bound",
        bounded=False,
    )

    def __init__(self, config: DeepHidingConfig | None = None) -> None:
        super().__init__(config or DeepHidingConfig(strength=3))


def change(hiding: Hiding, image: np.ndarray) -> np.ndarray:
    """What hiding adds to an image.

    Args:
        hiding: what to hide, and how.
        image: ``(H, W, colours)`` whole gray levels.

    Returns:
        ``(H, W, 1)`` int16, the same for all colours; whole numbers that are the same
        on every machine.
    """
    network, device = _network(hiding.weights, hiding.identity)
    cover = _seen(image)
    hidden = hiding.hidden(*cover.shape[1:])[None]
    added = _asked(
        partial(_hidden_in, network, device),
        (cover, hidden, hiding.amplitude),
        ("hide", network, cover.shape),
        device,
        image,
    )
    return _grown(added, hiding.amplitude, image)


def reveal(hiding: Hiding, image: np.ndarray) -> np.ndarray:
    """What the network finds hidden in an image, which may have been re-saved.

    Args:
        hiding: the amplitude it was hidden with; the scene isn't used.
        image: ``(H, W, colours)`` uint8.

    Returns:
        ``(h, w)`` uint8, the scene as it is found, at the working size.
    """
    network, device = _network(hiding.weights, hiding.identity)
    seen = _seen(image)
    found, _ = _asked(
        partial(_revealed_in, network, device),
        (seen, hiding.amplitude),
        ("reveal", network, seen.shape),
        device,
        image,
    )
    return found[0].round().clip(0, 255).astype(np.uint8)


def without_hidden(image: np.ndarray, amplitude: int, weights: str) -> np.ndarray:
    """What the network, run backwards without any key, takes the original for.

    Args:
        image: ``(H, W, 3)`` uint8.
        amplitude: gray levels that hiding is thought to have added at most.
        weights: the name of the network's weights.

    Returns:
        ``(H, W, 3)`` uint8, changed by at most ``amplitude``.
    """
    from fiftyone_reue.invertible.weights import identity

    network, device = _network(weights, identity(weights))
    seen = _seen(image)
    ((_, change),) = _revealed_in(network, device, [(seen, amplitude)])
    whole = image.astype(np.int16) + _grown(change, amplitude, image)
    return whole.clip(0, 255).astype(np.uint8)


def working_levels(height: int, width: int) -> int:
    """How many times an image's sides are halved before the network sees it."""
    return levels_for(height, width, LONGEST)


def shade(image: np.ndarray) -> np.ndarray:
    """``(..., colours)`` whole numbers to ``(..., 1)`` int32 means, rounded down.

    What is added to every colour is added to the mean.
    """
    wide = image.astype(np.int32)
    return wide.sum(axis=-1, keepdims=True) // image.shape[-1]


def hiding_of(secret: bytes) -> Hiding:
    """Read what :meth:`DeepHiding.secret` wrote.

    Raises:
        DamagedRecordError: it isn't that.
    """
    try:
        amplitude, weights_identity, root = _FIXED.unpack_from(secret)
        offset = _FIXED.size
        hatching = BENT if secret[offset] & _BENT else INVERTED
        end = offset + 1 + (secret[offset] & ~_BENT)
        name = secret[offset + 1 : end].decode()
        choice = _CHOICE.unpack_from(secret, end)
        waves, phases = _stripes(root, *choice)  # refuses too many classes
        scene = _scene_of(root, choice, secret[end + _CHOICE.size :])
    except (struct.error, IndexError, ValueError) as error:
        raise DamagedRecordError(
            "The record is damaged: what was hidden can't be read from it"
        ) from error
    return Hiding(
        name,
        weights_identity,
        amplitude,
        scene,
        waves,
        phases,
        hatching,
    )


def _stripes(
    root: bytes, index: int, classes: int, number: int
) -> tuple[tuple[Wave, ...], tuple[int, ...]]:
    """A class's waves, and the phases that one sample's are to have."""
    waves = _codes(root, classes)[index]
    return waves, keyed_phases(derive(root, "phases", str(index), str(number)), waves)


@lru_cache(maxsize=16)
def _codes(root: bytes, classes: int) -> tuple[tuple[Wave, ...], ...]:
    """Each class's waves, in an order drawn from the root."""
    order = keyed_order(derive(root, "stripes"), classes)
    codes = class_codes(classes)
    return tuple(codes[index] for index in order)


def _scene_of(root: bytes, choice: tuple[int, int, int], content: bytes) -> np.ndarray:
    if not content:
        index, classes, number = choice
        return _bank_scene(root, index, classes, number % VARIANTS)
    size = SCENE_SIDE * SCENE_SIDE
    raw = packing.unpack(content, size)
    return np.frombuffer(raw, np.uint8).reshape(SCENE_SIDE, SCENE_SIDE)


@lru_cache(maxsize=1024)
def _bank_scene(root: bytes, index: int, classes: int, number: int) -> np.ndarray:
    from fiftyone_reue.semantics.bank import variant
    from fiftyone_reue.semantics.render import bank_image

    scene = _class_scenes(root, classes)[index]
    key = derive(root, "variant", str(index))
    image = bank_image(variant(scene, key, number), SCENE_SIDE)
    return shade(image)[..., 0].astype(np.uint8)


@lru_cache(maxsize=16)
def _class_scenes(root: bytes, classes: int) -> list[Any]:
    from fiftyone_reue.semantics.bank import class_scenes

    return class_scenes(classes, derive(root, "scenes"))


def _seen(image: np.ndarray) -> np.ndarray:
    """What the network sees of an image, ``(1, h, w)`` int32."""
    return means(shade(image), working_levels(*image.shape[:2])).transpose(2, 0, 1)


def _grown(change: np.ndarray, amplitude: int, image: np.ndarray) -> np.ndarray:
    """A change of :func:`_seen`, held within the amplitude, as one of the pixels."""
    height, width = image.shape[:2]
    held = change.clip(-amplitude, amplitude)[0].astype(np.int16)
    return spread(held[..., None], working_levels(height, width), height, width)


def _asked(
    answer: Callable[[Sequence[A]], Sequence[R]],
    question: A,
    alike: Hashable,
    device: torch.device,
    image: np.ndarray,
) -> R:
    """What the network says of one image, see :func:`fiftyone_reue.together.asked`."""
    from fiftyone_reue.invertible.at_once import at_once

    height, width = image.shape[:2]
    halvings = working_levels(height, width)
    most = at_once((height >> halvings) * (width >> halvings), device)
    return asked(answer, question, alike, most=most, held=height * width)


def _hidden_in(
    network: HidingNetwork,
    device: torch.device,
    questions: Sequence[tuple[np.ndarray, np.ndarray, int]],
) -> list[np.ndarray]:
    """What hiding adds to each cover, ``(1, h, w)`` float64 whole numbers.

    Args:
        network: hides.
        device: where it is.
        questions: cover and secret, ``(1, h, w)`` whole numbers, and the amplitude.
    """
    import torch

    from fiftyone_reue.invertible.at_once import side_by_side

    covers, secrets, amplitudes = zip(*questions, strict=True)
    cover = side_by_side(covers, device)
    amplitude = cover.new_tensor(amplitudes)[:, None, None, None]
    with torch.no_grad():
        changed, _ = network.hide(cover, side_by_side(secrets, device), amplitude)
    return list((changed - cover).cpu().numpy())


def _revealed_in(
    network: HidingNetwork,
    device: torch.device,
    questions: Sequence[tuple[np.ndarray, int]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each image what is hidden in it, and what is taken away to get its cover.

    Args:
        network: reveals.
        device: where it is.
        questions: ``(1, h, w)`` whole numbers, and the amplitude.
    """
    import torch

    from fiftyone_reue.invertible.at_once import side_by_side

    images, amplitudes = zip(*questions, strict=True)
    seen = side_by_side(images, device)
    amplitude = seen.new_tensor(amplitudes)[:, None, None, None]
    with torch.no_grad():
        found, cover = network.reveal(seen, amplitude)
    changes = (cover - seen).cpu().numpy()
    return list(zip(found.cpu().numpy(), changes, strict=True))


def _network(
    weights: str, weights_identity: bytes
) -> tuple[HidingNetwork, torch.device]:
    from fiftyone_reue.invertible.hiding import HidingNetwork
    from fiftyone_reue.invertible.weights import placed_network

    network, device = placed_network(weights, weights_identity)
    if not isinstance(network, HidingNetwork):
        raise DamagedRecordError(f"The weights {weights!r} aren't a hiding network's")
    return network, device
