"""Make a golden case: a small one of one format that must be verified for ever.

    python tests/golden/make_case.py tests/golden/cases/4

Run it once for a format that is new, and never again: what is kept is what a version of
that format wrote.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from fiftyone_reue.batch.folders import image_items, labelled_items, suspect_items
from fiftyone_reue.progress import finish
from fiftyone_reue.releases.config import ProtectConfig
from fiftyone_reue.vault.key_files import RecipientKey
from fiftyone_reue.vault.vault import Vault, create_folder
from fiftyone_reue.workflows.extract import extract
from fiftyone_reue.workflows.protect import protect
from fiftyone_reue.workflows.report import report
from fiftyone_reue.workflows.restore import restore_licensed

SIDE = 48
PROGRAM = "fiftyone-reue, a golden case"
"""Not this version, which would write another page one day."""


def write_originals(folder: Path) -> None:
    """Two classes of two textures."""
    rows, columns = np.indices((SIDE, SIDE))
    draw = np.random.default_rng(5)
    for kind in ("ring", "stripe"):
        (folder / kind).mkdir(parents=True)
        for number in range(2):
            stripes = columns + (number + 1) * rows
            rings = np.hypot(rows - 20 - 3 * number, columns - 25)
            phase = rings if kind == "ring" else stripes
            base = 128 + 60 * np.sin(phase / (4 + number))
            colours = np.stack([base, base * 0.8 + 20, 255 - base], axis=2)
            samples = colours + draw.normal(0, 6, colours.shape)
            image = Image.fromarray(samples.clip(0, 255).astype(np.uint8))
            image.save(folder / kind / f"{number}.png")


def hand_out(vault: Vault, root: Path) -> RecipientKey:
    """Protect the originals for two of three recipients, and give the first's key."""
    keys = [vault.add_recipient(who)[1] for who in ("alice", "bob", "carol")]
    for who in ("alice", "bob"):
        steps = protect(
            vault,
            who,
            labelled_items(root / "source"),
            root / who,
            name=who,
            source="source",
            config=ProtectConfig("lsp"),
        )
        if finish(steps).outcome.failures:
            raise AssertionError(who)
    return keys[0]


def turned(path: Path, original: Path) -> Image.Image:
    """A licensed copy with its mark the wrong way round."""
    samples = np.asarray(Image.open(original)).astype(np.int16)
    whole = 2 * samples - np.asarray(Image.open(path))
    return Image.fromarray(whole.clip(0, 255).astype(np.uint8))


def main() -> None:
    """Two looks, and a case of four originals: one has two suspects, of another one the
    mark is the wrong way round."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_originals(root / "source")
        with create_folder(root / "vault", plain_key_file=True) as vault:
            key = hand_out(vault, root)
            leak = [Image.open(item.path) for item in image_items(root / "alice")]
            for quality in (70, 90):
                folder = root / f"look{quality}"
                folder.mkdir()
                leak[0].save(folder / "x.jpg", quality=quality)
                leak[2].save(folder / "y.jpg", quality=quality)
                finish(extract(vault, suspect_items(folder)))
            (root / "leak").mkdir()
            for number, image in enumerate(leak):
                image.save(root / "leak" / f"{number}.png")
            leak[0].save(root / "leak" / "again.jpg", quality=50)
            finish(restore_licensed(image_items(root / "alice"), None, root / "w", key))
            originals = labelled_items(root / "source")
            copy = image_items(root / "w")[1]
            turned(Path(copy.path), Path(originals[1].path)).save(
                root / "leak" / "1.png"
            )
            with mock.patch("fiftyone_reue.workflows.report.PROGRAM", PROGRAM):
                finish(report(vault, suspect_items(root / "leak"), root / "case"))
        shutil.copytree(root / "case", sys.argv[1])


if __name__ == "__main__":
    main()
