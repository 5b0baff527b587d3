"""Make a golden release: small files of one version that must restore for ever.

    python tests/golden/make.py tests/golden/0.2

Run it once for a version whose formats are new, and never again: what is kept is what
that version wrote. Needs only the command line of that version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

METHODS = ("lsp", "rue", "deep_hiding", "raeg")
SIDE = 40


def picture(kind: str, number: int) -> np.ndarray:
    """``(SIDE, SIDE, 3)`` uint8: rings or stripes, with some noise and both rails."""
    draw = np.random.default_rng(number)
    rows, columns = np.indices((SIDE, SIDE)) - SIDE / 2
    phase = np.hypot(rows, columns) if kind == "ring" else rows + 2 * columns
    waves = np.sin(phase[..., None] / (2 + np.arange(3)) + number)
    return (
        (128 + 150 * waves + draw.normal(0, 6, waves.shape)).clip(0, 255).astype("u1")
    )


def write_originals(folder: Path) -> None:
    """Two classes, each format and kind of samples once in each."""
    for kind in ("ring", "stripe"):
        (folder / kind).mkdir(parents=True)
        colour = picture(kind, 1)
        image = Image.fromarray(colour)
        alpha = np.hypot(*(np.indices((SIDE, SIDE)) - SIDE / 2)) < SIDE / 2.5
        cutout = np.dstack([picture(kind, 2), alpha.astype(np.uint8) * 255])
        deep = (picture(kind, 3)[..., 0].astype(np.uint16)) * 257
        image.save(folder / kind / "rgb.png", dpi=(72, 72))
        image.convert("L").save(folder / kind / "gray.png")
        Image.fromarray(cutout).save(folder / kind / "cutout.png")
        Image.fromarray(deep).save(folder / kind / "deep.png")
        Image.fromarray(deep // 17).save(folder / kind / "twelve.png")
        image.quantize(16).save(folder / kind / "palette.png")
        image.save(folder / kind / "lossless.webp", lossless=True)
        image.save(folder / kind / "plain.tif")
        image.save(folder / kind / "plain.bmp")
        image.save(folder / kind / "photo.jpg", quality=90, comment=b"words")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*arguments: str) -> None:
    command = [sys.executable, "-c", "from fiftyone_reue.cli import main; main()"]
    subprocess.run([*command, *arguments], check=True)


def digests(folder: Path) -> dict[str, str]:
    """Of every file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*.*"))
    }


def make(
    output: Path,
    write: Callable[[Path], None],
    methods: Sequence[str],
    init: Sequence[str],
) -> None:
    """Fill a folder that isn't there yet.

    Args:
        output: the folder.
        write: makes the originals in a folder.
        methods: one release of each.
        init: more words for ``reue init``.
    """
    output.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as name:
        work = Path(name)
        originals, vault = work / "originals", work / "vault"
        write(originals)
        key = str(output / "alice.key")
        run("init", "--vault", str(vault), *init)
        run("recipient", "add", "alice", "--vault", str(vault), "--key-out", key)
        run("recipient", "add", "bob", "--vault", str(vault), "--key-out", f"{name}/b")
        known: dict[str, dict[str, str]] = {"originals": digests(originals)}
        for method in methods:
            copies, licensed = output / method, work / f"licensed_{method}"
            to = ("--vault", str(vault), "--recipient", "alice", "--method", method)
            run("protect", str(originals), str(copies), *to)
            run("restore", str(copies), str(licensed), "--key", key)
            known[method] = digests(licensed)
        text = json.dumps(known, indent=1, sort_keys=True)
        (output / "known.json").write_text(text + "\n")
        shutil.copytree(vault, output / "vault")


if __name__ == "__main__":
    make(Path(sys.argv[1]), write_originals, METHODS, sys.argv[2:])
