"""RAEG: an invertible network makes every image adversarial, and gives it back.

Chen et al., "Invertible Image Dataset Protection", ICME 2022 (arXiv:2112.14420). The
protected image looks like the original, and classifiers take it for another class; a
model trained on such images learns the classes wrongly. The same network backwards is
the way back. In the paper the network alone does it, and whoever has its weights can
go back, approximately. Here it goes in whole numbers and back exactly
(:mod:`fiftyone_reue.invertible.adversarial`), and besides the image it takes a small
code, which is made for each image against classifiers trained on the originals
(:mod:`fiftyone_reue.perturb.raeg_code`) and sealed in the record: the weights alone
don't lead back.

Every class is moved to another one, fixed for it and drawn from the key, as in TAP
(:mod:`fiftyone_reue.perturb.tap`): so the images also teach something wrong.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.errors import DamagedRecordError
from fiftyone_reue.invertible.working import levels_for, means, spread
from fiftyone_reue.media import packing
from fiftyone_reue.perturb.base import (
    FitData,
    InvertibleMethod,
    MethodInfo,
    State,
    class_index,
    cut,
    secret_seed,
)
from fiftyone_reue.perturb.tap import TapConfig, target_classes
from fiftyone_reue.steps import mapped

if TYPE_CHECKING:
    import torch

    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.perturb.raeg_code import CodeConfig, Loss

LONGEST = 128
"""The network sees means, as large as possible with a shorter side up to this."""
CODE_LEVEL = 19
"""zstd's, for codes: they are small."""
BATCH = 64
"""Images at a time, where all are there at once."""

_FIXED = struct.Struct(">BB8s")


@dataclass(frozen=True)
class RaegConfig:
    """Which network, and against what.

    Attributes:
        weights: the trained invertible network's name.
        surrogates: classifiers, by their names in the network registry, that are
            trained on the originals; codes are made against all of them.
        training: how they are trained.
    """

    weights: str = "raeg"
    surrogates: tuple[str, ...] = ("small_resnet", "small_resnet")
    training: TapConfig = field(default_factory=TapConfig)


@dataclass(frozen=True, eq=False)
class Turning:
    """Everything that a change depends on besides the image.

    Attributes:
        weights: the trained network's name.
        identity: 8 bytes of those weights.
        amplitude: the largest change, gray levels.
        code: int8 whole numbers, flat, see :meth:`code_for`.
    """

    weights: str
    identity: bytes
    amplitude: int
    code: np.ndarray

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


class Raeg(InvertibleMethod):
    """Images made adversarial by an invertible network; see the module."""

    info = MethodInfo(
        name="raeg",
        title="RAEG: fools trained classifiers, by an invertible network",
        paper="Chen et al., ICME 2022, arXiv:2112.14420",
        needs_fit=True,
        uses_gpu=True,
        cost="minutes to train on 2,000 small images, then half a second an image on a "
        "processor",
        variety="sample",
    )

    def __init__(
        self, config: RaegConfig | None = None, code: CodeConfig | None = None
    ) -> None:
        self.config = config or RaegConfig()
        self._code = code

    @classmethod
    def as_published(cls) -> Raeg:
        """Against larger classifiers, trained for longer; it needs a GPU."""
        training = TapConfig(epochs=40)
        return cls(RaegConfig(surrogates=("resnet18", "vgg19"), training=training))

    def fit(
        self,
        data: FitData,
        *,
        amplitude: int,
        seed: int,
        key: bytes,
        device: str = "auto",
    ) -> Generator[float, None, State]:
        """Train the classifiers on the originals; see :class:`Method`.

        Raises:
            InputError: a classifier is too big for a State, there are fewer than two
                classes, or no weights of the configured name.
        """
        from fiftyone_reue.invertible.weights import identity
        from fiftyone_reue.perturb.surrogate import require_storable, stored_weights
        from fiftyone_reue.perturb.tap_fit import train_surrogate

        size = data.images.shape[1]
        names = self.config.surrogates
        targets = target_classes(len(data.classes), seed, key)
        weights_identity = identity(self.config.weights).hex()
        for name in names:
            require_storable(name, len(data.classes), size)
        started = time.monotonic()
        arrays: dict[str, np.ndarray] = {"targets": targets}
        accuracies = []
        for place, name in enumerate(names):
            steps = train_surrogate(
                data,
                replace(self.config.training, surrogate=name),
                seed=secret_seed("raeg", seed + place, key),
                device=device,
            )
            made = yield from mapped(steps, partial(_share, place, len(names)))
            arrays |= stored_weights(made.network, prefix=f"{place}/")
            accuracies.append(round(made.accuracy, 4))
        summary = {
            "amplitude": amplitude,
            "weights": self.config.weights,
            "weights_identity": weights_identity,
            "surrogates": list(names),
            "size": size,
            "images": len(data.images),
            "surrogate_accuracy": accuracies,
            "seconds": round(time.monotonic() - started, 1),
        }
        return State("raeg", data.classes, arrays, summary)

    def secret(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> bytes:
        """Amplitude, weights and this image's code; see :class:`InvertibleMethod`."""
        target = state.arrays["targets"][class_index(state, label)]
        seed = int.from_bytes(sample_key[:4], "big")
        losses = _losses(state, target[None], seed)
        head = _head(state)
        turning = _turning(head, np.zeros(0, np.int8))
        code = self._find_codes(turning, losses, image[None], seed)
        return head + packing.pack(code.tobytes(), CODE_LEVEL)

    def secret_against(
        self, losses: Sequence[Loss], image: np.ndarray, amplitude: int, seed: int
    ) -> bytes:
        """A secret whose code is made against classifiers of one's own.

        Args:
            losses: one a classifier: ``(1, 3, H, W)`` float32 images in [0, 1], of the
                image's own size, to a number that is to fall.
            image: ``(H, W, 3)`` uint8.
            amplitude: the largest change, gray levels.
            seed: of the draws of JPEG's qualities.
        """
        import torch

        from fiftyone_reue.invertible.weights import identity

        levels = levels_for(image.shape[0], image.shape[1], LONGEST)
        name = self.config.weights
        head = _packed_head(amplitude, name, identity(name))
        turning = _turning(head, np.zeros(0, np.int8))
        network, device = _network(turning)
        small = means(image, levels, network.config.multiple)
        numbers = torch.Generator().manual_seed(seed)
        whole = torch.from_numpy(image).to(device).permute(2, 0, 1)[None] / 255
        before = torch.from_numpy(small).to(device).permute(2, 0, 1)[None] / 255
        grown = [
            partial(_grown_loss, loss, whole, before, levels, numbers)
            for loss in losses
        ]
        code = self._find_codes(turning, grown, image[None], seed)
        return head + packing.pack(code.tobytes(), CODE_LEVEL)

    def amplitude(self, secret: bytes) -> int | None:
        """See :class:`InvertibleMethod`."""
        return secret[1]

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """Make the image adversarial; see :class:`InvertibleMethod`."""
        return image.astype(np.int16) + _change(turning_of(secret), image)

    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        """The network backwards; see :class:`InvertibleMethod`."""
        return moved + _change(turning_of(secret), moved, backwards=True)

    def perturb(
        self,
        data: FitData,
        *,
        amplitude: int,
        seed: int,
        key: bytes,
        device: str = "auto",
    ) -> Generator[float, None, np.ndarray]:
        """Fit on these images, then change them in batches; see :class:`Method`."""
        steps = self.fit(data, amplitude=amplitude, seed=seed, key=key, device=device)
        state = yield from mapped(steps, lambda fraction: fraction / 2)
        turning = _turning(_head(state), np.zeros(0, np.int8))
        perturbed = np.empty_like(data.images)
        for start in range(0, len(data.images), BATCH):
            images = data.images[start : start + BATCH]
            labels = data.labels[start : start + BATCH]
            losses = _losses(state, state.arrays["targets"][labels], seed + start)
            codes = self._find_codes(turning, losses, images, seed + start)
            for place, (image, code) in enumerate(zip(images, codes, strict=True)):
                moved = image + _change(replace(turning, code=code), image)
                perturbed[start + place] = cut(moved, image, amplitude)
            yield (1 + (start + len(images)) / len(data.images)) / 2
        return perturbed

    def _find_codes(
        self, turning: Turning, losses: Sequence[Loss], images: np.ndarray, seed: int
    ) -> np.ndarray:
        """``(N, H, W, colours)`` uint8 images to codes, int8, the first axis N."""
        import torch

        from fiftyone_reue.perturb.raeg_code import CodeConfig, find_code

        network, device = _network(turning)
        height, width, colours = images.shape[1:]
        levels = levels_for(height, width, LONGEST)
        multiple = network.config.multiple
        small = np.stack([means(image, levels, multiple) for image in images])
        values = torch.from_numpy(small).to(device).double().permute(0, 3, 1, 2)
        values = values.expand(-1, 3, -1, -1)
        with torch.no_grad():
            changed = network(values) if colours == 3 else values
        code = find_code(
            losses,
            values.float(),
            changed.float(),
            self._code or CodeConfig(),
            amplitude=turning.amplitude,
            colours=colours,
            seed=seed,
        )
        return code.cpu().numpy().astype(np.int8)


def turning_of(secret: bytes) -> Turning:
    """Read what :meth:`Raeg.secret` wrote.

    Raises:
        DamagedRecordError: it isn't that.
    """
    try:
        end = _FIXED.size + secret[0]
        raw = packing.unpack(secret[end:], 3 * LONGEST * LONGEST * 64)
        return _turning(secret[:end], np.frombuffer(raw, np.int8))
    except (struct.error, IndexError, ValueError) as error:
        raise DamagedRecordError(
            "The record is damaged: how the image was changed can't be read from it"
        ) from error


def _head(state: State) -> bytes:
    """A secret but for its code."""
    weights_identity = bytes.fromhex(state.summary["weights_identity"])
    return _packed_head(
        state.summary["amplitude"], state.summary["weights"], weights_identity
    )


def _packed_head(amplitude: int, weights: str, weights_identity: bytes) -> bytes:
    name = weights.encode()
    return _FIXED.pack(len(name), amplitude, weights_identity) + name


def _share(place: int, count: int, fraction: float) -> float:
    return (place + fraction) / count


def _turning(head: bytes, code: np.ndarray) -> Turning:
    _, amplitude, weights_identity = _FIXED.unpack_from(head)
    name = head[_FIXED.size :].decode()
    return Turning(name, weights_identity, amplitude, code)


def _losses(state: State, targets: np.ndarray, seed: int) -> list[Loss]:
    """One a surrogate: how far it is from taking each image for its target."""
    import torch

    from fiftyone_reue.networks.device import choose_device
    from fiftyone_reue.perturb.surrogate import class_loss, restored_network

    size, device = state.summary["size"], choose_device()
    networks = [
        restored_network(state, name, size, device, prefix=f"{place}/")
        for place, name in enumerate(state.summary["surrogates"])
    ]
    wanted = torch.from_numpy(targets).to(device)
    losses = [partial(class_loss, network, wanted) for network in networks]
    numbers = torch.Generator().manual_seed(seed)
    return [partial(_resized_loss, loss, size, numbers) for loss in losses]


def _grown_loss(
    loss: Loss,
    whole: torch.Tensor,
    before: torch.Tensor,
    levels: int,
    numbers: torch.Generator,
    images: torch.Tensor,
) -> torch.Tensor:
    """A loss of the image at its own size, given what its means became."""
    from torch.nn import functional

    from fiftyone_reue.perturb.raeg_code import diverse

    change = functional.interpolate(images - before, scale_factor=2.0**levels)
    room = (0, whole.shape[3] - change.shape[3], 0, whole.shape[2] - change.shape[2])
    return loss(diverse((whole + functional.pad(change, room)).clamp(0, 1), numbers))


def _resized_loss(
    loss: Loss, size: int, numbers: torch.Generator, images: torch.Tensor
) -> torch.Tensor:
    from torch.nn import functional

    from fiftyone_reue.perturb.raeg_code import diverse

    if images.shape[2:] != (size, size):
        images = functional.interpolate(images, (size, size), mode="area")
    return loss(diverse(images, numbers))


def _change(
    turning: Turning, image: np.ndarray, *, backwards: bool = False
) -> np.ndarray:
    """What the network adds, ``(H, W, colours)`` int16; whole numbers everywhere.

    The network makes three channels different, which can't be a gray image's: there
    the code is added alone.
    """
    import torch

    network, device = _network(turning)
    height, width, colours = image.shape
    levels = levels_for(height, width, LONGEST)
    small = means(image, levels, network.config.multiple)
    if colours == 1:
        plain = turning.code_for(1, *small.shape[:2])[0, 0].astype(np.int16)
        added = spread(plain[..., None], levels + 1, height, width)
        return -added if backwards else added
    code = torch.from_numpy(turning.code_for(colours, *small.shape[:2])).to(device)
    values = torch.from_numpy(small).to(device).double().permute(2, 0, 1)[None]
    with torch.no_grad():
        turned = network.inverse if backwards else network
        moved = (turned(values, code) - values)[0].permute(1, 2, 0)
    change = moved.cpu().numpy().astype(np.int16)
    return spread(change, levels, height, width)


def _network(turning: Turning) -> tuple[AdversarialNetwork, torch.device]:
    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.invertible.weights import placed_network

    network, device = placed_network(turning.weights, turning.identity)
    assert isinstance(network, AdversarialNetwork)
    return network, device
