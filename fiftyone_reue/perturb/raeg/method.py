"""RAEG: an invertible network makes every image adversarial, and gives it back.

Chen et al., "Invertible Image Dataset Protection", ICME 2022 (arXiv:2112.14420). The
protected image looks like the original, classifiers take it for another class, and a
model trained on such images is to be weak. The same network backwards is the way back.
In the paper the network alone does it, and whoever has its weights can go back,
approximately. Here it goes in whole numbers and back exactly
(:mod:`fiftyone_reue.perturb.raeg.turning`), and besides the image it takes a small
code, which is made for each image against classifiers trained on the originals
(:mod:`fiftyone_reue.perturb.raeg.code`) and sealed in the record: the weights alone
don't lead back.

What takes a trained classifier in is not what an untrained one learns first: images
that were only adversarial taught as much as the originals. So a part of the change's
energy goes into stripes of the class's own, as in
:mod:`fiftyone_reue.perturb.gratings`, but soft ones, since here the energy is what is
limited.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.invertible.working import levels_for, means
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    InvertibleMethod,
    MethodInfo,
    State,
    bounded,
    class_index,
    keyed_order,
)
from fiftyone_reue.perturb.gratings import STRENGTH_UNIT, class_codes, keyed_phases
from fiftyone_reue.perturb.raeg.config import RaegConfig
from fiftyone_reue.perturb.raeg.turning import (
    LONGEST,
    Stripes,
    Turning,
    network_of,
    striped,
    turn,
    turn_back,
)
from fiftyone_reue.perturb.tap.config import TapConfig
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import mapped
from fiftyone_reue.together import asked, each

if TYPE_CHECKING:
    import torch

    from fiftyone_reue.perturb.raeg.code import CodeConfig, Loss

BATCH = 64
"""Images at a time, where all are there at once."""
SEARCHED = 2
"""Times as many pixels as the network takes at once, for a search of codes."""
MARGIN = 5.0
"""Logits by which another class is to lead."""


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
    Config = RaegConfig
    longest = LONGEST

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

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Train the classifiers on the originals; see :class:`Method`.

        Raises:
            InputError: a classifier is too big for a State, there are fewer than two
                classes or more than there are stripes for, or no weights of the
                configured name.
        """
        from fiftyone_reue.invertible.weights import identity
        from fiftyone_reue.perturb.surrogate import require_storable, stored_weights
        from fiftyone_reue.perturb.tap.fit import train_surrogate

        size = data.images.shape[1]
        names = self.config.surrogates
        order = _order(len(data.classes), options)
        weights_identity = identity(self.config.weights).hex()
        for name in names:
            require_storable(name, len(data.classes), size)
        started = time.monotonic()
        arrays: dict[str, np.ndarray] = {"order": order}
        accuracies = []
        for index, name in enumerate(names):
            another = replace(options, seed=options.seed + index)
            steps = train_surrogate(
                data,
                replace(self.config.training, surrogate=name),
                another.training("raeg"),
            )
            made = yield from mapped(steps, partial(_share, index, len(names)))
            arrays |= stored_weights(made.network, prefix=f"{index}/")
            accuracies.append(round(made.accuracy, 4))
        summary = {
            "amplitude": options.amplitude,
            "weights": self.config.weights,
            "weights_identity": weights_identity,
            "strength": _strength(self.config.stripes, options.amplitude),
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
        from fiftyone_reue.invertible.at_once import at_once

        index = class_index(state, label)
        turning = replace(_turning(state), stripes=_stripes(state, index, sample_key))
        _, device = network_of(turning)
        height, width = image.shape[:2]
        levels = levels_for(height, width, LONGEST)
        code = asked(
            partial(self._codes, state),
            (image, striped(turning, image), index),
            ("code", id(self), id(state), image.shape),
            most=at_once((height >> levels) * (width >> levels), device, SEARCHED),
            held=height * width,
        )
        return replace(turning, code=code).pack()

    def _codes(
        self, state: State, questions: Sequence[tuple[np.ndarray, np.ndarray, int]]
    ) -> list[np.ndarray]:
        """Codes for some images, each ``(colours, h, w)`` int8.

        What is drawn on the way is the same for all images of a fit, so that it
        doesn't matter which of them are done together, but for rounding.

        Args:
            state: of the fit.
            questions: an image, the same with stripes, and its class's number.
        """
        images, marked, labels = zip(*questions, strict=True)
        seed = crc32(state.arrays["order"].tobytes()) if "order" in state.arrays else 0
        losses = _losses(state, np.array(labels), seed)
        plain = _turning(state)
        return list(
            self._find_codes(plain, losses, np.stack(images), np.stack(marked), seed)
        )

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
        turning = Turning(name, identity(name), amplitude)
        network, device = network_of(turning)
        small = means(image, levels, network.config.multiple)
        numbers = torch.Generator().manual_seed(seed)
        whole = torch.from_numpy(image).to(device).permute(2, 0, 1)[None] / 255
        before = torch.from_numpy(small).to(device).permute(2, 0, 1)[None] / 255
        grown = [
            partial(_grown_loss, loss, whole, before, levels, numbers)
            for loss in losses
        ]
        codes = self._find_codes(turning, grown, image[None], image[None], seed)
        return replace(turning, code=codes[0]).pack()

    def amplitude(self, secret: bytes) -> int | None:
        """See :class:`InvertibleMethod`."""
        return secret[1]

    def move(self, secret: bytes, image: np.ndarray) -> np.ndarray:
        """Make the image adversarial; see :class:`InvertibleMethod`."""
        return turn(Turning.unpack(secret), image)

    def undo(self, secret: bytes, moved: np.ndarray) -> np.ndarray:
        """The network backwards; see :class:`InvertibleMethod`."""
        return turn_back(Turning.unpack(secret), moved)

    def perturb_steps(
        self, data: FitData, options: FitOptions
    ) -> Generator[float, None, np.ndarray]:
        """Fit on these images, then change them in batches; see :class:`Method`."""
        steps = self.fit(data, options)
        state = yield from mapped(steps, lambda fraction: fraction / 2)
        plain = _turning(state)
        perturbed = np.empty_like(data.images)
        for start in range(0, len(data.images), BATCH):
            images = data.images[start : start + BATCH]
            labels = data.labels[start : start + BATCH]
            stripes = [
                _stripes(state, int(label), options.sample_key(index))
                for index, label in enumerate(labels, start)
            ]
            turnings = [replace(plain, stripes=one) for one in stripes]
            pairs = zip(turnings, images, strict=True)
            marked = np.stack([striped(turning, image) for turning, image in pairs])
            seed = options.seed + start
            losses = _losses(state, labels, seed)
            codes = self._find_codes(plain, losses, images, marked, seed)
            coded = [
                replace(turning, code=code)
                for turning, code in zip(turnings, codes, strict=True)
            ]
            moved = each(
                lambda pair: turn(*pair), list(zip(coded, images, strict=True))
            )
            for index, image in enumerate(images):
                after = bounded(moved[index], image, options.amplitude)
                perturbed[start + index] = after
            yield (1 + (start + len(images)) / len(data.images)) / 2
        return perturbed

    def _find_codes(
        self,
        turning: Turning,
        losses: Sequence[Loss],
        images: np.ndarray,
        marked: np.ndarray,
        seed: int,
    ) -> np.ndarray:
        """Codes for images of one size.

        Args:
            turning: without a code.
            losses: one a classifier.
            images: ``(N, H, W, colours)`` uint8.
            marked: int16, the same with stripes.
            seed: of the draws of JPEG's qualities.

        Returns:
            ``(N, colours, h, w)`` int8.
        """
        import torch

        from fiftyone_reue.invertible.at_once import at_once
        from fiftyone_reue.perturb.raeg.code import CodeConfig, find_code

        network, device = network_of(turning)
        height, width, colours = images.shape[1:]
        levels = levels_for(height, width, LONGEST)

        def small(wide: np.ndarray) -> torch.Tensor:
            seen = np.stack([means(i, levels, network.config.multiple) for i in wide])
            values = torch.from_numpy(seen).to(device).double().permute(0, 3, 1, 2)
            return values.expand(-1, 3, -1, -1)

        values = small(marked)
        pieces = values.split(at_once(values[0, 0].numel(), device))
        with torch.no_grad():
            changed = torch.cat(list(map(network, pieces))) if colours == 3 else values
        code = find_code(
            losses,
            small(images).float(),
            changed.float(),
            self._code or CodeConfig(),
            amplitude=turning.amplitude,
            colours=colours,
            seed=seed,
        )
        return code.cpu().numpy().astype(np.int8)


def _order(classes: int, options: FitOptions) -> np.ndarray:
    """Which of the codes of :func:`class_codes` each class has, drawn from the key.

    Raises:
        InputError: there are fewer than two classes, or more than codes.
    """
    if classes < 2:
        raise InputError(
            "Use images of at least two classes: raeg makes images be taken for "
            "another class"
        )
    codes = class_codes(classes)
    return keyed_order(
        derive(options.key, "raeg-stripes", str(options.seed)), len(codes)
    )


def _strength(stripes: float, amplitude: int) -> int:
    """Root mean square in 1/16 gray levels."""
    return min(255, round(STRENGTH_UNIT * min(stripes, amplitude / 2)))


def _turning(state: State) -> Turning:
    """Without stripes and code."""
    return Turning(
        state.summary["weights"],
        bytes.fromhex(state.summary["weights_identity"]),
        state.summary["amplitude"],
    )


def _stripes(state: State, index: int, sample_key: bytes) -> Stripes | None:
    """A class's stripes in phases of the sample's own.

    None where the state has no strength: those of before there were stripes.
    """
    strength = state.summary.get("strength", 0)
    if not strength:
        return None
    waves = class_codes(len(state.classes))[int(state.arrays["order"][index])]
    phases = keyed_phases(derive(sample_key, "raeg-stripes"), waves)
    return Stripes(strength, waves, phases)


def _share(index: int, count: int, fraction: float) -> float:
    return (index + fraction) / count


def _losses(state: State, labels: np.ndarray, seed: int) -> list[Loss]:
    """One a surrogate: by how much it still names each image rightly."""
    import torch

    from fiftyone_reue.networks.device import choose_device
    from fiftyone_reue.perturb.surrogate import lead_loss, restored_network

    size, device = state.summary["size"], choose_device()
    networks = [
        restored_network(state, name, size, device, prefix=f"{index}/")
        for index, name in enumerate(state.summary["surrogates"])
    ]
    true = torch.from_numpy(labels).to(device)
    losses = [partial(lead_loss, network, true, MARGIN) for network in networks]
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

    from fiftyone_reue.perturb.raeg.code import diverse

    change = functional.interpolate(images - before, scale_factor=2.0**levels)
    room = (0, whole.shape[3] - change.shape[3], 0, whole.shape[2] - change.shape[2])
    return loss(diverse((whole + functional.pad(change, room)).clamp(0, 1), numbers))


def _resized_loss(
    loss: Loss, size: int, numbers: torch.Generator, images: torch.Tensor
) -> torch.Tensor:
    from torch.nn import functional

    from fiftyone_reue.perturb.raeg.code import diverse

    if images.shape[2:] != (size, size):
        images = functional.interpolate(images, (size, size), mode="area")
    return loss(diverse(images, numbers))
