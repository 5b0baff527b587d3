"""Original, perturbation and protected image side by side, for scikit-image's photos.

python benchmarks/rue_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from data import RESULTS
from matplotlib.figure import Figure
from skimage import data as photographs

from fiftyone_reue.media.expand import expand
from fiftyone_reue.media.square import to_square
from fiftyone_reue.perturb.base import FitData, FitOptions, clipped
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.prf import derive
from fiftyone_reue.progress import finish

CLASSES = ("astronaut", "cat", "coffee", "rocket")
SIZE = 256
AMPLIFIED = 8
TITLES = ("original", f"perturbation, {AMPLIFIED} times", "protected")


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--method", default="rue", show_default=True)
@click.option("--epsilon", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--output", type=Path, default=RESULTS / "rue_pictures.png")
def main(method: str, epsilon: int, output: Path) -> None:
    """Draw a row for each photograph."""
    images = np.stack([_square(getattr(photographs, name)()) for name in CLASSES])
    key = bytes(range(32))
    chosen = create_method(method)
    examples = FitData(images, np.arange(len(CLASSES)), CLASSES)
    state = finish(chosen.fit(examples, FitOptions(epsilon, 0, key)))
    mpl.rcParams["font.size"] = 9
    figure = Figure(figsize=(9, 3 * len(CLASSES)), layout="constrained")
    for row, (name, image) in enumerate(zip(CLASSES, images, strict=True)):
        pattern = chosen.pattern(state, image, name, derive(key, "picture", name))
        offsets = expand(pattern, SIZE, SIZE).astype(np.int16)
        protected = clipped(image, offsets)
        shown = clipped(np.full_like(image, 128), AMPLIFIED * offsets)
        for place, picture in enumerate((image, shown, protected)):
            axes = figure.add_subplot(len(CLASSES), 3, 3 * row + place + 1)
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(TITLES[place] if row == 0 else "")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=80)
    click.echo(output)


def _square(photograph: np.ndarray) -> np.ndarray:
    return to_square(photograph, 3, SIZE).copy()


if __name__ == "__main__":
    main()
