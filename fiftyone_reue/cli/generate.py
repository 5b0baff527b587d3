"""``reue generate``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiftyone_reue.cli.errors import guarded
from fiftyone_reue.cli.options import LocalPath, device_option, json_option
from fiftyone_reue.cli.printing import out, plain
from fiftyone_reue.cli.progress import shown
from fiftyone_reue.names.display import count
from fiftyone_reue.semantics.generator_config import GeneratorConfig

if TYPE_CHECKING:
    from fiftyone_reue.semantics.generator import Generated

_DEFAULT = GeneratorConfig()


@click.command()
@click.argument(
    "folders",
    metavar="[PHOTOS] SCENES",
    nargs=-1,
    required=True,
    type=LocalPath(),
)
@click.option("--classes", help="Their names, with commas between, instead of PHOTOS.")
@click.option(
    "--model",
    default=_DEFAULT.model,
    show_default=True,
    help="Folder or name of a Stable Diffusion model.",
)
@click.option(
    "--controlnet",
    default=_DEFAULT.controlnet,
    show_default=True,
    help="Folder or name of a ControlNet for it, for Canny edges.",
)
@click.option(
    "--prompt",
    default=_DEFAULT.prompt,
    show_default=True,
    help="What to draw; {label} stands for the class.",
)
@click.option(
    "--negative-prompt",
    default=_DEFAULT.negative_prompt,
    show_default=True,
    help="What not to draw.",
)
@click.option(
    "--steps", default=_DEFAULT.steps, show_default=True, help="Of denoising."
)
@click.option(
    "--guidance",
    default=_DEFAULT.guidance,
    show_default=True,
    help="How far the prompt leads.",
)
@click.option(
    "--conditioning",
    default=_DEFAULT.conditioning,
    show_default=True,
    help="How far the edges lead.",
)
@click.option(
    "--images", default=_DEFAULT.images, show_default=True, help="Of each class."
)
@click.option(
    "--side", default=_DEFAULT.side, show_default=True, help="Pixels, a multiple of 64."
)
@click.option(
    "--seed",
    default=_DEFAULT.seed,
    show_default=True,
    help="Scenes and noise follow from it.",
)
@device_option
@json_option
@guarded
def generate(
    folders: tuple[Path, ...], classes: str | None, as_json: bool, **options: Any
) -> int:
    """Draw images for deep_hiding to hide, with Stable Diffusion and a ControlNet.

    \b
    reue generate PHOTOS SCENES
    reue generate --classes cat,dog SCENES --model FOLDER
    reue protect PHOTOS ... --method deep_hiding --scenes SCENES

    PHOTOS has a folder for each class; SCENES will have. Run it again to go on where it
    was stopped. Needs pip install 'fiftyone-reue[generate]', and weights: a model that
    isn't a folder here is downloaded from the Hugging Face Hub, some gigabytes, under
    its licence.
    """
    from fiftyone_reue.batch.folders import check_apart
    from fiftyone_reue.semantics.generator import generate_scenes

    if len(folders) != (2 if classes is None else 1):
        raise click.UsageError("Give PHOTOS and SCENES, or --classes and SCENES")
    output = folders[-1]
    if classes is None:
        check_apart(folders[0], output)
        names = class_names(folders[0])
    else:
        names = [name.strip() for name in classes.split(",")]
    made = shown(generate_scenes(names, output, GeneratorConfig(**options)))
    if as_json:
        click.echo(json.dumps({"scenes": str(output), **asdict(made)}))
    else:
        out.print(f"{plain(output)}: {summary(made)}")
    return 0


def class_names(photos: Path) -> list[str]:
    """The classes of a dataset's folder, as ``reue protect`` takes them.

    Raises:
        InputError: there is no such folder, or images in it are in no class's folder.
    """
    from fiftyone_reue.batch.folders import labelled_items

    labels = {item.label for item in labelled_items(photos)}
    return sorted(label for label in labels if label is not None)


def summary(made: Generated) -> str:
    """What was done, and what a person should look at."""
    said = f"{count(made.made, 'image')} drawn; there already: {made.kept}"
    if made.retried:
        black = count(made.retried, "image")
        said += f"; {black} came out black, drawn anew from other seeds"
    if made.checked is False:
        said += "; the model has no safety checker, so look at them before use"
    return said
