"""Starts the App for the browser tests; a script, with its own FiftyOne.

``python serve.py FOLDER PORT`` makes its datasets below FOLDER:

- ``tiles``: labelled, nothing protected
- ``released``: the same, nine of ten classes protected for bob and six for alice too;
  bob's copy was audited, by far too little training to mean anything
- ``few``: two classes of the same, nothing protected
- ``attacked`` and ``worn``: the same two classes, protected for dora; of ``worn`` one
  copy was deleted
- ``previewed`` and ``photos``: as ``tiles``
- ``mixed``: the same two classes as JPEG, PNG and WebP files, nothing protected
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
MIXED = ((".jpg", {"quality": 85}), (".png", {}), (".webp", {"lossless": True}))


def main(folder: Path, port: int) -> None:
    paths = [path for name in CLASSES for path in _tiles(name, folder / "tiles")]
    for name in ("alice", "bob", "carol", "dora"):
        reue.add_recipient(name, folder / f"{name}.key")
    reue.confirm_owner_key()
    tiles = _dataset("tiles", paths, labelled=True)
    released = tiles.clone("released", persistent=True)
    few = tiles.match(F("ground_truth.label").is_in(CLASSES[:2]))
    few.clone("few", persistent=True)
    for name in ("previewed", "photos"):
        tiles.clone(name, persistent=True)
    _dataset("mixed", _mixed(paths[: 2 * TILES], folder / "mixed"), labelled=True)
    for name, copies in (("attacked", "dora"), ("worn", "dora_worn")):
        reue.protect_samples(
            few.clone(name, persistent=True),
            "dora",
            output_dir=folder / "handed_out" / copies,
            method="lsp",
            progress=False,
        )
    Path(fo.load_dataset("worn").first().protected_filepath).unlink()
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
    )
    # At the tiles' own size, and under all that photographs are tried with, this took
    # minutes, nearly all of the start.
    reue.audit_samples(
        released,
        "bob_1",
        countermeasures=["none", "grayscale"],
        size=32,
        device="cpu",
        progress=False,
    )
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


def _mixed(paths: list[Path], folder: Path) -> list[Path]:
    """The same pictures as files of three kinds, of each class two."""
    made = []
    for number, path in enumerate(paths):
        suffix, options = MIXED[number % len(MIXED)]
        made.append(folder / path.parent.name / f"{path.stem}{suffix}")
        made[-1].parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").save(made[-1], **options)
    return made


def _dataset(name: str, paths: list[Path], *, labelled: bool = False) -> fo.Dataset:
    dataset = fo.Dataset(name, persistent=True)
    samples = [fo.Sample(filepath=str(path)) for path in paths]
    if labelled:
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
