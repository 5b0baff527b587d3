"""Train the invertible networks' weights on photographs of one's own.

The shipped weights were made so, on 2,100 photographs of Imagenette, in some minutes
on a processor. Weights in the folder that REUE_WEIGHTS names are taken before those
shipped; restoring needs the same ones again, so keep them and hand them on.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fiftyone_reue.batch.items import Item
from fiftyone_reue.errors import InputError
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.square import to_square
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.perturb.base import FitData
from fiftyone_reue.progress import Progress, mapped

if TYPE_CHECKING:
    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.invertible.hiding import HidingNetwork

Network = TypeVar("Network", "HidingNetwork", "AdversarialNetwork")

SIDE = 64
"""Pixels a side of the photographs to train on."""
SECRETS = 600
"""Hatched scenes to hide while training."""
CLASSIFIER_EPOCHS = 14
CLASSIFIER_STEPS = 300

_CLASSIFIERS = 0.3
"""The share of RAEG's progress that training classifiers has."""


def read_photos(items: list[Item], seed: int) -> FitData:
    """Photographs as squares, at scales drawn for each.

    Args:
        items: with labels where their folders are classes.
        seed: of the draws.

    Raises:
        InputError: there are fewer than two.
    """
    if len(items) < 2:
        raise InputError("Give a folder with photographs, at least two")
    generator = np.random.default_rng(seed)
    names = sorted({item.label or "" for item in items})
    images, labels = [], []
    for item in items:
        raster = load(item.path, name=item.sample_id).raster
        side = int(generator.choice((SIDE, 96, 128)))
        square = to_square(shown(raster), raster.colour_channels, side)
        top, left = generator.integers(side - SIDE + 1, size=2)
        images.append(square[top : top + SIDE, left : left + SIDE])
        labels.append(names.index(item.label or ""))
    return FitData(np.stack(images), np.array(labels, np.int64), tuple(names))


def train_hiding(
    data: FitData,
    output: Path,
    context: TrainingContext,
    *,
    steps: int | None = None,
    begin: str | None = None,
) -> Generator[Progress, None, dict[str, Any]]:
    """Train Deep Hiding's network and keep it.

    Args:
        data: photographs of :func:`read_photos`.
        output: the npz file to write.
        context: where to train, and of the draws.
        steps: of gradients; None takes as many as the shipped weights took.
        begin: the name of weights to begin with, to fine-tune them.

    Yields:
        Progress.

    Returns:
        What the weights were made of, and figures.

    Raises:
        InputError: the weights to begin with are of another kind of network.
    """
    import torch

    from fiftyone_reue.invertible.hiding import HidingNetwork
    from fiftyone_reue.invertible.weights import save_weights
    from fiftyone_reue.perturb.deep_hiding.fit import HidingTraining, train

    config = HidingTraining()
    config = replace(config, steps=steps or config.steps)
    device = context.torch_device()
    torch.manual_seed(context.seed)
    network = _begun(begin, HidingNetwork()).to(device)
    yield Progress(0.0, "Drawing scenes")
    secrets = hatched_scenes(SECRETS, config.side, context.seed)
    training = train(network, data.images, secrets, config, context)
    figures = yield from mapped(training, lambda f: Progress(f, "Training"))
    about = _about(data, context, config, figures)
    save_weights(network, output, about)
    return about


def train_adversarial(
    data: FitData,
    output: Path,
    context: TrainingContext,
    *,
    steps: int | None = None,
    begin: str | None = None,
) -> Generator[Progress, None, dict[str, Any]]:
    """Train RAEG's network against two small classifiers and keep it.

    As :func:`train_hiding`.

    Raises:
        InputError: the photographs aren't in a folder a class, of two at least.
    """
    import torch

    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.invertible.weights import save_weights
    from fiftyone_reue.perturb.raeg.fit import AdversarialTraining, train
    from fiftyone_reue.perturb.tap.config import TapConfig
    from fiftyone_reue.perturb.tap.fit import train_surrogate

    if len(data.classes) < 2:
        raise InputError(
            "Put the photographs into a folder for each class, two at least: "
            "classifiers are trained on them"
        )
    config = AdversarialTraining()
    config = replace(config, steps=steps or config.steps)
    device = context.torch_device()
    classifiers = []
    for number in range(2):
        settings = TapConfig(epochs=CLASSIFIER_EPOCHS, least_steps=CLASSIFIER_STEPS)
        learning = train_surrogate(data, settings, replace(context, seed=number))
        made = yield from mapped(learning, partial(_of_classifier, number))
        classifiers.append(made.network.eval().requires_grad_(False))
    torch.manual_seed(context.seed)
    network = _begun(begin, AdversarialNetwork()).to(device)
    training = train(network, data.images, data.labels, classifiers, config, context)
    figures = yield from mapped(
        training, lambda f: Progress(_CLASSIFIERS + (1 - _CLASSIFIERS) * f, "Training")
    )
    about = _about(data, context, config, figures)
    save_weights(network, output, about)
    return about


def _about(
    data: FitData, context: TrainingContext, config: Any, figures: dict[str, float]
) -> dict[str, Any]:
    """What weights were made of, and figures."""
    made_of = {"photographs": len(data.images), "seed": context.seed}
    return {**made_of, **asdict(config), **figures}


def _of_classifier(number: int, fraction: float) -> Progress:
    label = f"Training classifier {number + 1} of 2"
    return Progress(_CLASSIFIERS * (number + fraction) / 2, label)


def hatched_scenes(count: int, side: int, seed: int) -> np.ndarray:
    """Scenes of the bank, each in stripes drawn for it.

    Args:
        count: how many.
        side: pixels a side.
        seed: of the draws.

    Returns:
        ``(count, 1, side, side)`` uint8.
    """
    from fiftyone_reue.perturb.deep_hiding.hatching import hatched
    from fiftyone_reue.perturb.deep_hiding.method import shade
    from fiftyone_reue.perturb.gratings import HIGHEST, LOWEST, Wave
    from fiftyone_reue.prf import derive
    from fiftyone_reue.semantics.bank import class_images

    generator = np.random.default_rng(seed)
    scenes = class_images(64, derive(bytes(32), "train", str(seed)), 4, side)
    drawn = []
    for _ in range(count):
        scene = shade(scenes[generator.integers(64), generator.integers(4)])
        waves: list[Wave] = []
        for _ in range(int(generator.integers(1, 4))):
            cycles = int(generator.integers(LOWEST, HIGHEST + 1))
            waves.append((cycles, 0) if generator.integers(2) else (0, cycles))
        phases = [int(phase) for phase in generator.integers(0, 1024, len(waves))]
        drawn.append(hatched(scene[..., 0].astype(np.uint8), waves, phases))
    return np.stack(drawn)[:, None]


def _begun(name: str | None, new: Network) -> Network:
    from fiftyone_reue.invertible.weights import identity, load_weights

    if name is None:
        return new
    kept = load_weights(name, identity(name), "cpu")
    if not isinstance(kept, type(new)) or kept.config != new.config:
        raise InputError(f"The weights {name!r} are of another kind of network")
    new.load_state_dict({key: v.float() for key, v in kept.state_dict().items()})
    return new
