"""Starts the App for the browser tests; a script, with its own FiftyOne.

``python serve.py FOLDER PORT`` makes its datasets below FOLDER:

- ``tiles``: labelled, nothing protected
- ``released``: the same, nine of ten classes protected for bob and six for alice too;
  bob's copy was audited, by far too little training to mean anything
- ``few``: two classes of the same, nothing protected
- ``attacked``: the same two classes, protected for dora
- ``found`` and ``unlabelled``: JPEG files made of bob's copy
"""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import fiftyone as fo
from fiftyone import ViewField as F
from PIL import Image, ImageStat

from fiftyone_reue import samples as reue
from fiftyone_reue.auditing.budgets import BUDGETS
from fiftyone_reue.demo import tiles as demo_tiles

CLASSES = (
    "astronaut",
    "brick",
    "cat",
    "coffee",
    "flower",
    "galaxies",
    "grass",
    "gravel",
    "pagoda",
    "rocket",
)
SIZE = 112
TILES = 6
LEAKED = 12


def main(folder: Path, port: int) -> None:
    paths = [path for name in CLASSES for path in _tiles(name, folder / "tiles")]
    for name in ("alice", "bob", "carol", "dora"):
        reue.add_recipient(name, folder / f"{name}.key")
    tiles = _dataset("tiles", paths)
    released = tiles.clone("released", persistent=True)
    few = tiles.match(F("ground_truth.label").is_in(CLASSES[:2]))
    few.clone("few", persistent=True)
    attacked = few.clone("attacked", persistent=True)
    reue.protect_samples(
        attacked,
        "dora",
        output_dir=folder / "handed_out" / "dora",
        method="lsp",
        progress=False,
    )
    for name, count in (("alice", 6), ("bob", 9)):
        reue.protect_samples(
            released.match(F("ground_truth.label").is_in(CLASSES[:count])),
            name,
            output_dir=folder / "handed_out" / name,
            method="lsp",
            progress=False,
        )
    BUDGETS["quick"] = replace(
        BUDGETS["quick"],
        train=32,
        epochs=1,
        least_steps=2,
        countermeasures=("none", "grayscale"),
    )
    reue.audit_samples(released, "bob_1", device="cpu", progress=False)
    copies = released.exists("protected_filepath").shuffle(seed=3)
    leaked = copies.values("protected_filepath")[:LEAKED]
    posted = [_posted(Path(path), folder / "found") for path in leaked]
    _dataset("found", posted)
    _dataset("unlabelled", posted)
    session = fo.launch_app(tiles, remote=True, address="127.0.0.1", port=port)
    session.wait(-1)


def _tiles(name: str, folder: Path) -> list[Path]:
    """The liveliest tiles of a photograph, in colour; none overlaps another."""
    photo = demo_tiles.load_photo(name)
    corners = itertools.product(
        range(0, photo.height - SIZE + 1, SIZE), range(0, photo.width - SIZE + 1, SIZE)
    )
    tiles = [photo.crop((x, y, x + SIZE, y + SIZE)) for y, x in corners]
    tiles.sort(key=lambda tile: sum(ImageStat.Stat(tile).stddev), reverse=True)
    (folder / name).mkdir(parents=True)
    paths = []
    for number, tile in enumerate(tiles[:TILES]):
        paths.append(folder / name / f"{number:02d}.png")
        tile.save(paths[-1])
    return paths


def _dataset(name: str, paths: list[Path]) -> fo.Dataset:
    dataset = fo.Dataset(name, persistent=True)
    samples = [fo.Sample(filepath=str(path)) for path in paths]
    if name == "tiles":
        for sample, path in zip(samples, paths, strict=True):
            sample["ground_truth"] = fo.Classification(label=path.parent.name)
    dataset.add_samples(samples, progress=False)
    return dataset


def _posted(path: Path, folder: Path) -> Path:
    """As a thief would post it: a JPEG file without a telling name."""
    folder.mkdir(exist_ok=True)
    target = folder / f"IMG_{len(list(folder.iterdir())):04d}.jpg"
    with Image.open(path) as image:
        image.convert("RGB").save(target, quality=80)
    return target


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
