"""Make a golden release of JPEG files that are carried by their coefficients.

    python tests/golden/make_jpeg.py tests/golden/jpeg/0.2

As :mod:`tests.golden.make`, whose rules hold here as well. Records have all ways back
that there are of coefficients, and the default method's two expansions.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parents[2]))

from tests.golden.make import run, sha256

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


def main(output: Path, *init: str) -> None:
    """Fill a folder that isn't there yet."""
    output.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as name:
        work = Path(name)
        originals, vault = work / "originals", work / "vault"
        write_originals(originals)
        key = str(output / "alice.key")
        run("init", "--vault", str(vault), *init)
        run("recipient", "add", "alice", "--vault", str(vault), "--key-out", key)
        run("recipient", "add", "bob", "--vault", str(vault), "--key-out", f"{name}/b")
        known: dict[str, dict[str, str]] = {"originals": _digests(originals)}
        for method in METHODS:
            copies, licensed = output / method, work / f"licensed_{method}"
            to = ("--vault", str(vault), "--recipient", "alice", "--method", method)
            run("protect", str(originals), str(copies), *to)
            run("restore", str(copies), str(licensed), "--key", key)
            known[method] = _digests(licensed)
        text = json.dumps(known, indent=1, sort_keys=True)
        (output / "known.json").write_text(text + "\n")
        shutil.copytree(vault, output / "vault")


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*.jpg"))
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
