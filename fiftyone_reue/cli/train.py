"""``reue train``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import LocalPath, device_option, json_option
from fiftyone_reue.cli.printing import out, plain
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.errors import InputError
from fiftyone_reue.stores.address import WRITTEN_HERE


@click.command()
@click.argument("kind", type=click.Choice(["hiding", "adversarial"]))
@click.argument("photos", type=LocalPath(exists=True, file_okay=False))
@click.argument("output", type=LocalPath(WRITTEN_HERE, dir_okay=False))
@click.option("--steps", type=click.IntRange(1), help="Gradient steps.")
@click.option("--begin", help="Name of weights to begin with, to fine-tune them.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the first weights and the order of the images.",
)
@device_option
@json_option
@guarded
def train(
    kind: str,
    photos: Path,
    output: Path,
    steps: int | None,
    begin: str | None,
    seed: int,
    device: str,
    as_json: bool,
) -> int:
    """Train the weights of deep_hiding (hiding) or raeg (adversarial) on PHOTOS.

    OUTPUT ends with .npz. Put it into the folder that REUE_WEIGHTS names, where it is
    found before the weights that are shipped; restoring needs it again, so keep it and
    hand it on. For raeg, PHOTOS has a folder for each class.
    """
    from fiftyone_reue.batch.folders import labelled_items
    from fiftyone_reue.networks.context import TrainingContext
    from fiftyone_reue.workflows.train import (
        read_photos,
        train_adversarial,
        train_hiding,
    )

    if output.suffix != ".npz":
        raise InputError(f"{output}: give a file name that ends with .npz")
    data = read_photos(labelled_items(photos), seed)
    made = train_hiding if kind == "hiding" else train_adversarial
    job = made(data, output, TrainingContext(seed, device), steps=steps, begin=begin)
    about = shown(job)
    if as_json:
        click.echo(json.dumps({"weights": str(output), **about}))
    else:
        out.print(f"{plain(output)}: {plain(json.dumps(about))}")
    return 0
