"""Feature shift: poison for victims that start from a pretrained network.

Shortcuts teach a network nothing that already sees well: a new head on a pretrained
network learns what is in the picture. Here every image is changed until pretrained
networks see another class in it, one and the same for all images of a class and drawn
from the key, as in Fowl et al., "Adversarial Examples Make Strong Poisons", NeurIPS
2021 (arXiv:2106.10807); but in the features of networks that thieves start from, not in
the logits of one that is trained on the originals. A head that is trained on such
images gives each class's features another class's name.

The networks are the owner's choice, files that ``REUE_PRETRAINED`` names. Only
protecting takes them: the pattern is in the record.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fiftyone_reue.errors import InputError
from fiftyone_reue.perturb.base import (
    FitData,
    FitOptions,
    Method,
    MethodInfo,
    State,
    class_index,
    eight_bit,
)
from fiftyone_reue.perturb.feature_shift.config import FeatureShiftConfig
from fiftyone_reue.perturb.tap.method import target_classes
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import mapped

if TYPE_CHECKING:
    import torch

    from fiftyone_reue.networks.extractors import Extractor
    from fiftyone_reue.perturb.feature_shift.shift import Aim

NAME = "feature_shift"
WORKING_SIDE = 224
"""Images with a longer shorter side are reduced to it while their pattern is made."""
MOST_WORKING = 4
"""A working image is at most so many times as long as it is wide."""


class FeatureShift(Method):
    """Every image moved to another class among features; see the module."""

    info = MethodInfo(
        name=NAME,
        title="Feature shift: poison for pretrained networks",
        paper="after Fowl et al., NeurIPS 2021, arXiv:2106.10807",
        needs_fit=True,
        uses_gpu=True,
        cost="a look at each image for every network of REUE_PRETRAINED, then half a "
        "second an image and network on a processor",
        variety="sample",
        least_classes=2,
        fit_side=WORKING_SIDE,
        fit_images=2000,
    )
    Config = FeatureShiftConfig

    def identity(self, classes: Sequence[str]) -> tuple[str, ...]:
        """The networks count by what is in their files; see :class:`Method`.

        Raises:
            InputError: REUE_PRETRAINED names none, or one that can't be read.
        """
        from fiftyone_reue.networks.extractors import extractor_files

        digests = [file.digest for file in extractor_files()]
        return (*super().identity(classes), *digests)

    def fit(self, data: FitData, options: FitOptions) -> Generator[float, None, State]:
        """Ask each network where the classes lie; see :class:`Method`.

        Raises:
            InputError: there are fewer than two classes, or one without an image; or
                REUE_PRETRAINED names no network, or one that can't be used.
        """
        from fiftyone_reue.networks.device import choose_device, few_threads
        from fiftyone_reue.networks.extractors import extractor_files, load_extractor
        from fiftyone_reue.perturb.feature_shift.centres import centres_of

        targets = target_classes(len(data.classes), options, NAME)
        _require_images(data)
        files = extractor_files()
        started = time.monotonic()
        arrays: dict[str, np.ndarray] = {"targets": targets}
        device = choose_device(options.device)
        for index, file in enumerate(files):
            network = load_extractor(file.path, device)
            steps = centres_of(network, data.images, data.labels, len(data.classes))
            with few_threads():
                made = yield from mapped(steps, partial(_share, index, len(files)))
            # float16: 1,000 classes of 2,048 features still fit a ledger's entry.
            arrays[f"{index}/middle"] = made.middle.half().cpu().numpy()
            arrays[f"{index}/classes"] = made.classes.half().cpu().numpy()
        _require_storable(arrays)
        summary = {
            "amplitude": options.amplitude,
            "networks": [file.path.name for file in files],
            "digests": [file.digest for file in files],
            "images": len(data.images),
            "size": data.images.shape[1],
            "seconds": round(time.monotonic() - started, 1),
        }
        return State(NAME, data.classes, arrays, summary)

    def pattern(
        self, state: State, image: np.ndarray, label: str, sample_key: bytes
    ) -> np.ndarray:
        """Move this image's features; see :class:`Method`.

        Raises:
            InputError: the class is not among those fitted, or REUE_PRETRAINED
                doesn't name the networks that were there then.
        """
        import torch

        from fiftyone_reue.networks.device import choose_device
        from fiftyone_reue.perturb.feature_shift.shift import shifted

        device = choose_device()
        aims = _aims(state, class_index(state, label), device)
        small = _working(image)
        values = torch.from_numpy(small).to(device).permute(2, 0, 1)[None] / 255
        made = shifted(
            values,
            aims,
            _grid(small.shape[0], small.shape[1], self.config.cells),
            image.shape[2],
            state.summary["amplitude"],
            self.config,
            torch.Generator().manual_seed(_seed(sample_key)),
        )
        return made.permute(1, 2, 0).to(torch.int8).cpu().contiguous().numpy()


def _require_images(data: FitData) -> None:
    counts = np.bincount(data.labels, minlength=len(data.classes))
    if not counts.all():
        missing = data.classes[int(counts.argmin())]
        raise InputError(
            f"Class {missing!r} has no image to fit on; {NAME} has to know what each "
            "class looks like: add one that can be read, or leave the class out"
        )


def _require_storable(arrays: dict[str, np.ndarray]) -> None:
    from fiftyone_reue.perturb.surrogate import STORABLE_BYTES

    stored = sum(array.nbytes for array in arrays.values())
    if stored > STORABLE_BYTES:
        raise InputError(
            f"Name fewer networks in REUE_PRETRAINED: where the classes lie among "
            f"their features takes {stored / 1e6:.1f} MB, and a release keeps at most "
            f"{STORABLE_BYTES / 1e6:.0f} MB"
        )


def _share(index: int, count: int, fraction: float) -> float:
    return (index + fraction) / count


def _seed(sample_key: bytes) -> int:
    return int.from_bytes(derive(sample_key[:32], NAME)[:7], "big")


def _grid(height: int, width: int, cells: int) -> tuple[int, int]:
    """Rows and columns of a pattern with so many cells along the shorter side."""
    share = min(1.0, cells / min(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def _working(image: np.ndarray) -> np.ndarray:
    """``(H, W, 1 or 3)`` uint8 or uint16 as ``(h, w, 3)`` uint8, reduced if large.

    A panorama is squeezed as well: what is made for it still lies where it should.
    """
    from PIL import Image

    small = eight_bit(image)
    if small.shape[2] == 1:
        small = np.repeat(small, 3, axis=2)
    height, width = small.shape[:2]
    share = min(1.0, WORKING_SIDE / min(height, width))
    longest = MOST_WORKING * min(WORKING_SIDE, height, width)
    rows, columns = (min(longest, max(1, round(s * share))) for s in (height, width))
    if (rows, columns) == (height, width):
        return np.array(small)
    picture = Image.fromarray(np.ascontiguousarray(small))
    return np.array(picture.resize((columns, rows), Image.Resampling.BOX))


def _aims(state: State, index: int, device: torch.device) -> list[Aim]:
    """Where each network's features of a class's images are to go."""
    import torch

    from fiftyone_reue.perturb.feature_shift.shift import Aim

    target = int(state.arrays["targets"][index])
    aims = []
    for place, network in enumerate(_networks(state, device)):
        middle, centre = (
            torch.from_numpy(values.astype(np.float32)).to(device)
            for values in (
                state.arrays[f"{place}/middle"],
                state.arrays[f"{place}/classes"][target],
            )
        )
        aims.append(Aim(network, middle, centre - middle))
    return aims


def _networks(state: State, device: torch.device) -> list[Extractor]:
    """The networks that the state was fitted with, loaded once a process.

    Raises:
        InputError: REUE_PRETRAINED doesn't name one of them.
    """
    from fiftyone_reue.networks.extractors import extractor_files, load_extractor

    key = ("extractors", str(device))
    if key not in state.built:
        found = {file.digest: file.path for file in extractor_files()}
        summary = state.summary
        for name, digest in zip(summary["networks"], summary["digests"], strict=True):
            if digest not in found:
                raise InputError(
                    f"The network {name} that these images were fitted with isn't "
                    "among the files of the environment variable REUE_PRETRAINED; add "
                    "the same file again, or protect into a new folder without it"
                )
        state.built[key] = [
            load_extractor(found[digest], device) for digest in summary["digests"]
        ]
    return state.built[key]
