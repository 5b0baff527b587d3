"""Train the invertible networks' weights on photographs of one's own.

    python -m fiftyone_reue.train hiding PHOTOS weights/deep_hiding.npz
    python -m fiftyone_reue.train adversarial PHOTOS weights/raeg.npz

The shipped weights were made so, on 2,100 photographs of Imagenette, in some minutes
on a processor. Weights in the folder that REUE_WEIGHTS names are taken before those
shipped; restoring needs the same ones again, so keep them and hand them on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

from fiftyone_reue.errors import InputError, ReueError
from fiftyone_reue.folders import labelled_items
from fiftyone_reue.items import Item
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.square import to_square
from fiftyone_reue.perturb.base import FitData
from fiftyone_reue.shown import printable

SIDE = 64
"""Pixels a side of the photographs to train on."""
SECRETS = 600
"""Hatched scenes to hide while training."""
CLASSIFIER_EPOCHS = 14
CLASSIFIER_STEPS = 300

Done = TypeVar("Done")


@click.command(help=__doc__)
@click.argument("kind", type=click.Choice(["hiding", "adversarial"]))
@click.argument("photos", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--steps", type=click.IntRange(1), help="Gradient steps.")
@click.option("--begin", help="Name of weights to begin with, to fine-tune them.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(
    kind: str,
    photos: Path,
    output: Path,
    steps: int | None,
    begin: str | None,
    seed: int,
    device: str,
) -> None:
    try:
        if output.suffix != ".npz":
            raise InputError(f"{output}: give a file name that ends with .npz")
        data = read_photos(labelled_items(photos), seed)
        made = train_hiding if kind == "hiding" else train_adversarial
        about = made(data, output, steps=steps, begin=begin, seed=seed, device=device)
    except ReueError as error:
        raise click.ClickException(printable(error, lines=True)) from None
    click.echo(f"{printable(output)}: {json.dumps(about)}")


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
    *,
    steps: int | None,
    begin: str | None,
    seed: int,
    device: str,
) -> dict:
    """Train Deep Hiding's network, keep it, return figures."""
    import torch

    from fiftyone_reue.invertible.hiding import HidingNetwork
    from fiftyone_reue.invertible.weights import save_weights
    from fiftyone_reue.networks.device import choose_device
    from fiftyone_reue.perturb.deep_hiding_fit import HidingTraining, train

    config = HidingTraining()
    config = replace(config, steps=steps or config.steps)
    place = choose_device(device)
    torch.manual_seed(seed)
    network = _begun(begin, HidingNetwork()).to(place)
    assert isinstance(network, HidingNetwork)
    click.echo("Drawing scenes")
    secrets = hatched_scenes(SECRETS, config.side, seed)
    figures = _shown(
        train(network, data.images, secrets, config, seed=seed, place=place)
    )
    about = {"photographs": len(data.images), "seed": seed, **asdict(config), **figures}
    save_weights(network, output, about)
    return about


def train_adversarial(
    data: FitData,
    output: Path,
    *,
    steps: int | None,
    begin: str | None,
    seed: int,
    device: str,
) -> dict:
    """Train RAEG's network against two small classifiers, keep it, return figures.

    Raises:
        InputError: the photographs aren't in a folder a class, of two at least.
    """
    import torch

    from fiftyone_reue.invertible.adversarial import AdversarialNetwork
    from fiftyone_reue.invertible.weights import save_weights
    from fiftyone_reue.networks.device import choose_device
    from fiftyone_reue.perturb.raeg_fit import AdversarialTraining, train
    from fiftyone_reue.perturb.tap import TapConfig
    from fiftyone_reue.perturb.tap_fit import train_surrogate

    if len(data.classes) < 2:
        raise InputError(
            "Put the photographs into a folder for each class, two at least: "
            "classifiers are trained on them"
        )
    config = AdversarialTraining()
    config = replace(config, steps=steps or config.steps)
    place = choose_device(device)
    classifiers = []
    for number in range(2):
        click.echo(f"Training classifier {number + 1} of 2")
        training = TapConfig(epochs=CLASSIFIER_EPOCHS, least_steps=CLASSIFIER_STEPS)
        made = _shown(train_surrogate(data, training, seed=number, device=device))
        classifiers.append(made.network.eval().requires_grad_(False))
    torch.manual_seed(seed)
    network = _begun(begin, AdversarialNetwork()).to(place)
    assert isinstance(network, AdversarialNetwork)
    figures = _shown(
        train(
            network,
            data.images,
            data.labels,
            classifiers,
            config,
            seed=seed,
            place=place,
        )
    )
    about = {"photographs": len(data.images), "seed": seed, **asdict(config), **figures}
    save_weights(network, output, about)
    return about


def hatched_scenes(count: int, side: int, seed: int) -> np.ndarray:
    """Scenes of the bank, each in stripes drawn for it.

    Args:
        count: how many.
        side: pixels a side.
        seed: of the draws.

    Returns:
        ``(count, 1, side, side)`` uint8.
    """
    from fiftyone_reue.perturb.deep_hiding import shade
    from fiftyone_reue.perturb.gratings import HIGHEST, LOWEST, Wave
    from fiftyone_reue.perturb.hatching import hatched
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


def _begun(name: str | None, new):
    from fiftyone_reue.invertible.weights import identity, load_weights

    if name is None:
        return new
    kept = load_weights(name, identity(name), "cpu")
    if type(kept) is not type(new) or kept.config != new.config:
        raise InputError(f"The weights {name!r} are of another kind of network")
    new.load_state_dict({key: v.float() for key, v in kept.state_dict().items()})
    return new


def _shown(steps: Generator[float, None, Done]) -> Done:
    """Run to the end, saying how far it is every half a minute."""
    said = time.monotonic()
    while True:
        try:
            fraction = next(steps)
        except StopIteration as stop:
            return stop.value
        if time.monotonic() - said > 30:
            said = time.monotonic()
            click.echo(f"{100 * fraction:.0f} %")


if __name__ == "__main__":
    main()
