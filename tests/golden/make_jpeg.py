"""Make a golden release of JPEG files that are carried by their coefficients.

    python tests/golden/make_jpeg.py tests/golden/jpeg/0.2 --plain-key-file

As :mod:`tests.golden.make`, whose rules hold here as well. Together they have all ways
back that there are of coefficients, and both expansions and the surroundings of both
forms that `rue` has made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parents[2]))

from tests.golden.make import make

METHODS = ("rue", "rue_gratings", "lsp")
PLAIN, LARGE = (136, 161), (512, 520)


def picture(kind: str, number: int, sides: tuple[int, int] = PLAIN) -> np.ndarray:
    """``(*sides, 3)`` uint8: rings or stripes, with some noise and both rails."""
    draw = np.random.default_rng(number)
    rows, columns = np.indices(sides) - np.reshape(sides, (2, 1, 1)) / 2
    phase = np.hypot(rows, columns) if kind == "ring" else rows + 2 * columns
    waves = np.sin(phase[..., None] / (7 + 4 * np.arange(3)) + number)
    noise = draw.normal(0, 6, waves.shape)
    return (128 + 140 * waves + noise).clip(0, 255).astype(np.uint8)


def write_originals(folder: Path) -> None:
    """Two classes, each kind of JPEG once in each."""
    for kind in ("ring", "stripe"):
        (folder / kind).mkdir(parents=True)

        def save(
            name: str,
            number: int,
            sides: tuple[int, int] = PLAIN,
            mode: str = "RGB",
            to: Path = folder / kind,
            kind: str = kind,
            **options: object,
        ) -> None:
            image = Image.fromarray(picture(kind, number, sides)).convert(mode)
            image.save(to / f"{name}.jpg", **options)

        turned = Image.Exif()
        turned[0x0112] = 6
        odd = [[1 + place % 23 for place in range(64)]] * 2
        save("photo", 1, quality=75, comment=b"words")
        save("fine", 2, quality=92, subsampling=0, exif=turned)
        save("progressive", 3, quality=85, progressive=True)
        save("restarts", 4, quality=80, restart_marker_blocks=3)
        save("odd_steps", 5, qtables=odd)
        save("gray", 6, mode="L", quality=80)
        save("four_inks", 7, (72, 80), "CMYK", quality=80)
        save("small", 8, (40, 33), quality=75)
        save("large", 9, LARGE, "L", quality=30)


if __name__ == "__main__":
    make(Path(sys.argv[1]), write_originals, METHODS, sys.argv[2:])
