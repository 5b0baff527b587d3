"""The steps of ``reue demo``: the main job from end to end, on real images."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import TimeElapsedColumn

from fiftyone_reue import samples
from fiftyone_reue.batch import pipeline, sampling
from fiftyone_reue.batch.folders import image_items, labelled_items
from fiftyone_reue.batch.items import Item
from fiftyone_reue.batch.pipeline import Outcome
from fiftyone_reue.demo.tiles import build
from fiftyone_reue.errors import InputError
from fiftyone_reue.install.link import link
from fiftyone_reue.media.codec import load
from fiftyone_reue.media.depth import shown
from fiftyone_reue.media.offsets import unit
from fiftyone_reue.media.square import to_square
from fiftyone_reue.names.display import printable
from fiftyone_reue.networks.context import TrainingContext
from fiftyone_reue.networks.recipe import Recipe
from fiftyone_reue.networks.registry import DEFAULT_NETWORK, create_network
from fiftyone_reue.networks.training import accuracy, train
from fiftyone_reue.progress import Progress as Step
from fiftyone_reue.progress import finish, mapped, with_bar
from fiftyone_reue.releases.lookup import delete_release
from fiftyone_reue.samples.source import source_of
from fiftyone_reue.vault.key_files import write_key_file
from fiftyone_reue.vault.owner_keys import keyring_problem

if TYPE_CHECKING:
    import fiftyone as fo

DATASET = "reue-demo"
SUSPECTS = "reue-demo-suspects"
RECIPIENTS = ("alice", "bob")
LEAKED = 12
MARKER = ".reue-demo"
JPEG_QUALITY = 75

Result = TypeVar("Result")

out = Console(highlight=False, soft_wrap=True, emoji=False)


@dataclass(frozen=True)
class Split:
    """A labelled dataset's two parts."""

    train: list[Item]
    test: list[Item]


def open_vault(plain_key_file: bool) -> None:
    """Open the vault, or create it: where there is a keyring, with its key in there."""
    samples.open_vault(
        on_new_key=_say,
        plain_key_file=plain_key_file and keyring_problem() is not None,
    )


def run(data: Path | None, folder: Path, method: str, epsilon: int) -> None:
    """The demo's steps, each with a progress bar and a line of result."""
    link()
    _clear(folder)
    split = _split(data, folder)
    dataset = _dataset(split)
    classes = len(dataset.distinct("ground_truth.label"))
    _say(
        f"{len(split.train)} training and {len(split.test)} test images of "
        f"{classes} classes"
    )
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    view = dataset.match_tags("train")
    for name in RECIPIENTS:
        _recipient(name, keys)
        protected = _bar(
            samples.protect_steps(
                view,
                name,
                output_dir=folder / "releases" / name,
                method=method,
                epsilon=epsilon,
                name=f"demo_{name}",
            )
        )
        _say(protected.text())
    first = RECIPIENTS[0]
    _bar(samples.show_release_steps(dataset, f"demo_{first}"))
    scored = _bar(samples.score_steps(view, f"demo_{first}"))
    _say(scored.text())
    _bar(
        samples.restore_steps(
            view, output_dir=folder / "restored_originals", release=f"demo_{first}"
        )
    )
    exact = _count_exact(dataset)
    _say(f"Owner: {exact} of {len(view)} originals came back, every pixel the same")
    licensed = _bar(
        samples.restore_steps(
            view, output_dir=folder / "restored_licensed", recipient=first
        )
    )
    _say(f"{first}: {licensed.restored} licensed copies restored with the key")
    _compare_models(dataset, split)
    _leak(dataset, folder)
    out.print("\nOpen it in the App:  [bold]make app[/]  (then + > Protection status)")


def _clear(folder: Path) -> None:
    """Forget an earlier demo: its datasets, releases and files."""
    import fiftyone as fo

    for name in (DATASET, SUSPECTS):
        if fo.dataset_exists(name):
            _forget(fo.load_dataset(name))
    if folder.exists():
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds something else; choose another --folder")
        shutil.rmtree(folder)
    # Marked first, so that a demo cut off at any point can be run again.
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _forget(dataset: fo.Dataset) -> None:
    vault = samples.open_vault()
    for release in vault.ledger.releases():
        if release.source == source_of(dataset):
            delete_release(vault, release, files=False)
    dataset.delete()


def _split(data: Path | None, folder: Path) -> Split:
    if data is None:
        build(folder / "data")
        _say(f"Cut tiles from ten photographs into {folder / 'data'}")
        return Split(
            labelled_items(folder / "data" / "train"),
            labelled_items(folder / "data" / "test"),
        )
    items = labelled_items(data)
    generator = np.random.default_rng(0)
    by_class: dict[str | None, list[Item]] = {}
    for item in items:
        by_class.setdefault(item.label, []).append(item)
    split = Split([], [])
    for members in by_class.values():
        order = generator.permutation(len(members))
        held = len(members) // 5
        split.test.extend(members[i] for i in order[:held])
        split.train.extend(members[i] for i in order[held:])
    if not split.test:
        raise InputError(f"{data}: no class has five images; the demo tests on a fifth")
    return split


def _dataset(split: Split) -> fo.Dataset:
    import fiftyone as fo

    dataset = fo.Dataset(DATASET, persistent=True)
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(Path(item.path).resolve()),
                tags=[tag],
                ground_truth=fo.Classification(label=item.label),
            )
            for tag, items in (("train", split.train), ("test", split.test))
            for item in items
        ],
        progress=False,
    )
    return dataset


def _recipient(name: str, keys: Path) -> None:
    known = {person.name: person for person in samples.list_recipients()}
    if name in known:
        vault = samples.open_vault()
        key = vault.recipient_key(vault.recipient(name))
        write_key_file(keys / f"{name}.key", key, overwrite=True)
        _say(f"{name} is a recipient already; the key to send is {keys / name}.key")
        return
    samples.add_recipient(name, keys / f"{name}.key")
    _say(f"Added recipient {name}; the key to send them is {keys / name}.key")


def _count_exact(dataset: fo.Dataset) -> int:
    view = dataset.exists("restored_filepath")
    pairs = zip(*view.values(["filepath", "restored_filepath"]), strict=True)
    return sum(
        np.array_equal(load(a).raster.samples, load(b).raster.samples) for a, b in pairs
    )


def _compare_models(dataset: fo.Dataset, split: Split) -> None:
    """Train on protected and on restored copies; test on originals of the test part."""
    view = dataset.match_tags("train")
    size = sampling.suitable_size(split.train)
    names = sorted(dataset.distinct("ground_truth.label"))
    index = {name: number for number, name in enumerate(names)}
    labels = np.array([index[name] for name in view.values("ground_truth.label")])
    tests = np.array([index[item.label or ""] for item in split.test])
    test_images = _images([item.path for item in split.test], size)
    sources = (
        ("the protected copies", "protected_filepath"),
        ("the restored licensed copies", "restored_filepath"),
    )
    for words, field in sources:
        images = _images(view.values(field), size)
        network = create_network(DEFAULT_NETWORK, len(names), size, seed=0)
        context = TrainingContext(seed=0)
        steps = train(
            network, images, labels, len(names), recipe=Recipe(), context=context
        )
        _bar(mapped(steps, partial(_training, words)))
        right = accuracy(network, test_images, tests)
        _say(f"A model trained on {words}: {right:.1%} on unseen test images")


def _training(words: str, fraction: float) -> Step:
    return Step(fraction, f"Training a model on {words}")


def _images(paths: list[str], size: int) -> np.ndarray:
    items = [Item(path, path, None, path) for path in paths]
    squares: list[_Square] = []
    outcome = Outcome()
    read = partial(_square, size=size)
    finish(pipeline.run(items, read, squares.extend, outcome))
    if outcome.failures:
        raise InputError(pipeline.first_failures(outcome.failures))
    return np.stack([square.image for square in squares])


@dataclass(frozen=True)
class _Square:
    image: np.ndarray

    @property
    def size(self) -> int:
        return self.image.nbytes


def _square(item: Item, size: int) -> _Square:
    raster = load(item.path).raster
    return _Square(to_square(shown(raster), raster.colour_channels, size))


def _leak(dataset: fo.Dataset, folder: Path) -> None:
    """Re-compress some of the last recipient's files, and trace them."""
    import fiftyone as fo

    thief = RECIPIENTS[-1]
    source = folder / "releases" / thief
    leaked = folder / "leaked"
    leaked.mkdir()
    files = [item.path for item in image_items(source)]
    generator = np.random.default_rng(1)
    chosen = generator.choice(len(files), min(LEAKED, len(files)), replace=False)
    suspects = fo.Dataset(SUSPECTS, persistent=True)
    for number, index in enumerate(chosen):
        path = leaked / f"found_{number:02d}.jpg"
        _recompressed(Path(files[index])).save(path, quality=JPEG_QUALITY)
        suspects.add_sample(fo.Sample(filepath=str(path)))
    _say(f"{len(chosen)} of {thief}'s files turn up as JPEG (quality {JPEG_QUALITY})")
    check = _bar(samples.extract_steps(suspects))
    _say(check.text())


def _recompressed(path: Path) -> Image.Image:
    raster = load(path).raster
    colour = raster.samples[..., : raster.colour_channels]
    levels = (colour // unit(raster.peak)).astype(np.uint8)
    return Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels)


def _bar(steps: Generator[Step, None, Result]) -> Result:
    if not out.is_terminal:  # a log gets the results alone
        return finish(steps)
    return with_bar(steps, out, (TimeElapsedColumn(),))


def _say(text: str) -> None:
    out.print(printable(text, lines=True), markup=False)
