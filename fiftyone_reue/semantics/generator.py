"""Images to hide that a diffusion model draws, several for each class.

Meng et al., "Semantic Deep Hiding for Robust Unlearnable Examples", IEEE TIFS 2024
(arXiv:2406.17349), hide images by Stable Diffusion and ControlNet. Here each class's
scene of the bank (:mod:`fiftyone_reue.semantics.bank`) gives its edges, and all images
of the class follow them, each from another noise: far apart between classes, alike
within one. The folder that is filled is one for
:func:`fiftyone_reue.semantics.folder.folder_images`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unicodedata import category

from PIL import Image

from fiftyone_reue.errors import InputError, ModelError
from fiftyone_reue.media.files import (
    make_folder,
    remove_stale_temporaries,
    write_atomic,
)
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import Progress
from fiftyone_reue.semantics import diffusion
from fiftyone_reue.semantics.bank import class_scenes
from fiftyone_reue.semantics.generator_config import (
    LARGEST_SIDE,
    MOST_IMAGES,
    GeneratorConfig,
)
from fiftyone_reue.semantics.render import bank_image
from fiftyone_reue.semantics.scene import Scene

ATTEMPTS = 4
"""So many seeds are tried for an image that comes out black."""
ABOUT = "generator.json"
"""The file that keeps what a folder's images were made with."""

_STEP = 64
"""Sides are whole multiples: eight pixels a latent, halved three times."""
_LABEL = "{label}"
_LONGEST_NAME = 255
_SAMPLES = 2


@dataclass(frozen=True)
class Generated:
    """What :func:`generate_scenes` did.

    Attributes:
        made: how many images were drawn.
        kept: how many were there already.
        retried: how often an image came out black and was drawn from another seed.
        checked: whether the model has a safety checker; None if it wasn't loaded.
    """

    made: int
    kept: int
    retried: int
    checked: bool | None


def generate_scenes(
    classes: Sequence[str], output: Path, config: GeneratorConfig
) -> Generator[Progress, None, Generated]:
    """Draw images of every class as ``output/class/000.png``, ``001.png`` ...

    Images that are there are kept, so that the same call goes on after any
    interruption; none is ever there in part. The same machine draws the same bytes
    again.

    Args:
        classes: their names, which become folders' names; neither order nor repetition
            matters.
        output: the folder, made if it isn't there.
        config: what draws, and how. Only ``images`` and ``device`` may change while a
            folder is being filled.

    Yields:
        How far it is: before the model is loaded, and after each image.

    Raises:
        InputError: a part of the configuration or a class's name can't be used, or the
            folder was begun with others.
        MissingPackageError: diffusers or what it needs isn't installed.
        ModelError: a model can't be loaded or used, there isn't enough memory, or an
            image came out black :data:`ATTEMPTS` times.
        OutputError: the folder is a file, or can't be written.
    """
    names = folder_names(classes)
    _check(config)
    make_folder(output)
    remove_stale_temporaries(output)
    about = _about(names, config)
    _check_begun(output, about)
    missing = {name: _missing(output / name, config.images) for name in names}
    total, wanted = len(names) * config.images, sum(map(len, missing.values()))
    kept = total - wanted
    if not wanted:
        yield Progress(1.0, "All images are there")
        return Generated(0, kept, 0, None)
    yield Progress(kept / total, "Loading the model")
    pipeline = diffusion.load_pipeline(config.model, config.controlnet, config.device)
    _make_apart([output / name for name in names])
    write_atomic(output / ABOUT, _json(about))
    key = derive(bytes(32), "generate", str(config.seed))
    scenes = class_scenes(len(names), derive(key, "scenes"))
    made = retried = 0
    for name, scene in zip(names, scenes, strict=True):
        if not missing[name]:
            continue
        painting = _painting(name, scene, config)
        for path in missing[name]:
            image, attempt = _drawn(pipeline, painting, path, key)
            write_atomic(path, _png(image))
            made, retried = made + 1, retried + attempt
            yield Progress((kept + made) / total, f"{name}/{path.name}")
    return Generated(made, kept, retried, diffusion.checks_images(pipeline))


def folder_names(classes: Sequence[str]) -> list[str]:
    """Classes' names, sorted, each once, all of which can be folders' names.

    Args:
        classes: any strings.

    Raises:
        InputError: there is none, or one can't be a folder's name.
    """
    names = sorted(set(classes))
    if not names:
        raise InputError("There is no class to draw images of; name at least one")
    for name in names:
        wrong = _unusable(name)
        if wrong:
            raise InputError(
                f"Class {name!r} can't be a folder's name: {wrong}; rename the class"
            )
    return names


def _missing(home: Path, images: int) -> list[Path]:
    """A class's files that aren't there yet."""
    paths = [home / f"{number:03d}.png" for number in range(images)]
    return [path for path in paths if not path.is_file()]


def _painting(name: str, scene: Scene, config: GeneratorConfig) -> diffusion.Painting:
    return diffusion.Painting(
        config.prompt.replace(_LABEL, name),
        config.negative_prompt,
        diffusion.edge_map(bank_image(scene, config.side, _SAMPLES)),
        config.steps,
        config.guidance,
        config.conditioning,
    )


def _drawn(
    pipeline: Any, painting: diffusion.Painting, path: Path, key: bytes
) -> tuple[Image.Image, int]:
    """A file's image, and how many came out black before it."""
    name = f"{path.parent.name}/{path.name}"
    for attempt in range(ATTEMPTS):
        image = diffusion.painted(pipeline, painting, _seed(key, name, attempt))
        if image is not None:
            return image, attempt
    why = (
        "the model's safety checker refuses it"
        if diffusion.checks_images(pipeline)
        else "the model's numbers overflow"
    )
    raise ModelError(
        f"{name}: came out black with {ATTEMPTS} seeds, probably since {why}; change "
        "the prompt, the seed or the model"
    )


def _seed(key: bytes, name: str, attempt: int) -> int:
    """Of an image's noise, 0..2**63 - 1."""
    made = derive(key, "noise", name, str(attempt), length=8)
    return int.from_bytes(made, "big") >> 1


def _json(about: dict[str, Any]) -> bytes:
    return (json.dumps(about, indent=1) + "\n").encode()


def _png(image: Image.Image) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def _unusable(name: str) -> str | None:
    """Why a class can't have a folder of its name, or None."""
    if name in (".", "..") or not name.strip():
        return "it names nothing"
    if any(mark in "/\\" or category(mark) in ("Cc", "Cs") for mark in name):
        return "it has a slash or a control character, or isn't valid Unicode"
    if len(name.encode()) > _LONGEST_NAME:
        return f"it has more than {_LONGEST_NAME} bytes"
    return None


def _check(config: GeneratorConfig) -> None:
    """Raises: InputError: a part of it can't be used."""
    if _LABEL not in config.prompt:
        raise InputError(
            f"The prompt {config.prompt!r} is the same for all classes; put {_LABEL} "
            "where the class belongs"
        )
    if config.side % _STEP or not _STEP <= config.side <= LARGEST_SIDE:
        raise InputError(
            f"Images of {config.side} pixels a side can't be drawn; give a multiple of "
            f"{_STEP} up to {LARGEST_SIDE}"
        )
    if not 1 <= config.images <= MOST_IMAGES:
        raise InputError(
            f"{config.images} images a class can't be drawn; give 1 to {MOST_IMAGES}"
        )
    if config.steps < 1 or config.seed < 0:
        raise InputError("Give at least 1 step, and a seed that isn't negative")
    if not (config.guidance >= 0 and config.conditioning >= 0):
        raise InputError("Give a guidance and a conditioning scale of at least 0")


def _about(names: list[str], config: GeneratorConfig) -> dict[str, Any]:
    """What must not change while a folder is being filled."""
    fixed = {**asdict(config), "classes": names}
    for free in ("images", "device"):
        del fixed[free]
    return fixed


def _check_begun(output: Path, about: dict[str, Any]) -> None:
    """Raises: InputError: the folder's images were made with something else."""
    path = output / ABOUT
    try:
        begun = json.loads(path.read_bytes())
        others = sorted(key for key in about if begun.get(key) != about[key])
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError):
        raise InputError(
            f"{path}: what the images there were made with can't be read; choose "
            "another output folder"
        ) from None
    if others:
        raise InputError(
            f"{output}: the images there were begun with other {', '.join(others)}; "
            f"give the same again ({ABOUT} has them), or choose another output folder"
        )


def _make_apart(folders: list[Path]) -> None:
    """Make the classes' folders.

    Raises:
        InputError: two of them are one, as where a file system ignores case.
        OutputError: one can't be made.
    """
    found: dict[tuple[int, int], Path] = {}
    for folder in folders:
        make_folder(folder)
        status = os.stat(folder)
        other = found.setdefault((status.st_dev, status.st_ino), folder)
        if other is not folder:
            raise InputError(
                f"{folder} and {other} are the same folder there; rename one class, or "
                "choose an output folder on another file system"
            )
