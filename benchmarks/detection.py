"""What a detector learns from protected scenes: whose class decides which texture.

    python -m benchmarks.detection --imagenette FILE.zip

Scenes of 128 pixels: two photographs of five of Imagenette's classes, 36 to 60 pixels
large, on a photograph of the other five. The victim says of every 8 x 8 pixels which
class they are of, or that they are background, and is tested on scenes of photographs
that it has not seen, as they are. An object is found if the victim gives at least half
of its cells the right class. Every cell of the table is kept as soon as it is there,
and isn't computed again.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from benchmarks.markdown import table
from fiftyone_reue.auditing.countermeasures.jpeg import compress
from fiftyone_reue.batch.regions import BACKGROUND, Box, Objects, Region
from fiftyone_reue.media import offsets
from fiftyone_reue.media.visibility import ssimulacra2
from fiftyone_reue.networks.small_resnet import Block
from fiftyone_reue.perturb import reversal
from fiftyone_reue.perturb.base import FitData, FitOptions, State
from fiftyone_reue.perturb.class_map import ClassMap
from fiftyone_reue.perturb.registry import create_method
from fiftyone_reue.perturb.reversal import Perturbed
from fiftyone_reue.progress import finish
from fiftyone_reue.watermark import codes, embed, patterns

SIDE, CELL = 128, 8
OBJECTS, SMALLEST, LARGEST = 2, 36, 60
KINDS = ("n01440764", "n02979186", "n03028079", "n03445777", "n03888257")
"""Tench, cassette player, church, golf ball and parachute."""
SCENES, TESTS = 1200, 300
EPOCHS, BATCH, RATE = 12, 32, 0.05
AMPLITUDE, MARK = 6, 2
LOOKED_AT = 20
KEY = bytes(range(32))
SUBJECTS = ("originals", "regions", "whole images", "regions and the rest")
ROWS = (
    *((subject, "none", EPOCHS) for subject in SUBJECTS),
    ("originals", "JPEG-50", EPOCHS),
    ("regions", "JPEG-50", EPOCHS),
    ("originals", "none", 2 * EPOCHS),
    ("regions", "none", 2 * EPOCHS),
)
"""What is trained on, what a thief does before, and for how many epochs."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures and what is in them.

    Attributes:
        images: ``(N, SIDE, SIDE, 3)`` uint8.
        regions: of each its boxes.
    """

    images: np.ndarray
    regions: list[Objects]

    def cells(self) -> np.ndarray:
        """``(N, SIDE / CELL, SIDE / CELL)`` int64: 0, or one more than the class."""
        found = []
        for one in self.regions:
            regions = one.on(SIDE, SIDE)
            numbers = [0, *(1 + KINDS.index(name) for name in regions.names)]
            found.append(np.array(numbers)[regions.fields(CELL)])
        return np.stack(found).astype(np.int64)


def read_photographs(archive: Path, part: str) -> dict[str, list[Image.Image]]:
    """A part's photographs, "train" or "val", by class."""
    found: dict[str, list[Image.Image]] = {}
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if f"/{part}/" in name and name.endswith(".JPEG"):
                image = Image.open(io.BytesIO(files.read(name))).convert("RGB")
                found.setdefault(name.split("/")[-2], []).append(image)
    return found


def scenes_of(
    photographs: dict[str, list[Image.Image]], count: int, seed: int
) -> Scenes:
    """Scenes, their boxes beside one another, anywhere."""
    draw = np.random.default_rng(seed)
    behind = [
        one for kind, some in photographs.items() if kind not in KINDS for one in some
    ]
    images, regions = [], []
    for _ in range(count):
        scene = behind[draw.integers(len(behind))].resize((SIDE, SIDE), Image.LANCZOS)
        boxes: list[tuple[int, int, int]] = []
        objects = []
        while len(objects) < OBJECTS:
            side = int(draw.integers(SMALLEST, LARGEST + 1))
            left, top = (int(n) for n in draw.integers(0, SIDE - side + 1, 2))
            if any(_meet((left, top, side), other) for other in boxes):
                continue
            kind = KINDS[draw.integers(len(KINDS))]
            photograph = photographs[kind][draw.integers(len(photographs[kind]))]
            if draw.integers(2):
                photograph = photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            scene.paste(photograph.resize((side, side), Image.LANCZOS), (left, top))
            boxes.append((left, top, side))
            objects.append(Region(kind, Box(left, top, side, side)))
        images.append(np.asarray(scene))
        regions.append(Objects(tuple(objects), (SIDE, SIDE)))
    return Scenes(np.stack(images), regions)


def _meet(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return all(
        one[axis] < other[axis] + other[2] and other[axis] < one[axis] + one[2]
        for axis in (0, 1)
    )


def protected(scenes: Scenes, subject: str) -> np.ndarray:
    """The scenes as a release with epsilon 8 would hold them, watermark included."""
    if subject == "originals":
        return scenes.images
    state = _fitted()
    made = []
    for number, (image, regions) in enumerate(
        zip(scenes.images, scenes.regions, strict=True)
    ):
        code = codes.code(KEY, str(number), patterns.bit_count(SIDE, SIDE))
        mark = embed.mark(KEY, str(number), code, SIDE, SIDE, MARK)
        licensed, _ = offsets.add(image, mark, 3, 255)
        found = _perturbed(state, licensed, regions, subject, number)
        made.append(found.samples)
    return np.stack(made)


def _fitted() -> State:
    classes = tuple(sorted((BACKGROUND, *KINDS)))
    empty = FitData(np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int), classes)
    return finish(create_method("rue").fit(empty, FitOptions(AMPLITUDE, 0, KEY)))


def _perturbed(
    state: State, licensed: np.ndarray, regions: Objects, subject: str, number: int
) -> Perturbed:
    method = create_method("rue")
    found = regions.on(SIDE, SIDE)
    if subject == "regions":
        method = method.by_region(found)
    elif subject == "regions and the rest":
        rest = len(found.names) + 1
        places = np.where(found.places == 0, rest, found.places).astype(np.uint8)
        method = method.by_region(ClassMap((*found.names, BACKGROUND), places))
    key = number.to_bytes(32, "big")
    return reversal.perturb(method, state, licensed, 3, regions.label, key, name="x")


class Detector(nn.Module):
    """Says of every cell which class it is of; ``(N, 3, S, S)`` in [0, 1]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            Block(16, 32, 2),
            Block(32, 64, 2),
            nn.Conv2d(64, classes, 3, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(N, classes, S / 8, S / 8)``."""
        found: torch.Tensor = self.layers((x - 0.5) * 4)
        return found


def trained(images: np.ndarray, cells: np.ndarray, epochs: int, seed: int) -> Detector:
    """A victim: SGD, one cycle, flips."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = Detector(len(KINDS) + 1).to(memory_format=torch.channels_last)
    pixels, wanted = torch.from_numpy(images), torch.from_numpy(cells)
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.SGD(
        model.parameters(), RATE, 0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    # Background has most of the cells; each class and it are to count alike.
    counts = np.bincount(cells.ravel(), minlength=len(KINDS) + 1)
    weights = torch.from_numpy(counts.sum() / counts / len(counts)).float()
    model.train()
    for _ in range(epochs):
        order = draw.permutation(len(images))[: steps // epochs * BATCH]
        for some in order.reshape(-1, BATCH):
            x = pixels[some].permute(0, 3, 1, 2).float() / 255
            y = wanted[some]
            if draw.integers(2):
                x, y = x.flip(3), y.flip(2)
            x = x.contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(model(x), y, weights)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def asked(model: Detector, scenes: Scenes) -> dict[str, float]:
    """How much of clean scenes a victim finds, in percent."""
    wanted = scenes.cells()
    with torch.no_grad():
        said = np.concatenate(
            [
                model(torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255)
                .argmax(1)
                .numpy()
                for part in np.array_split(scenes.images, 10)
            ]
        )
    found = total = 0
    for number, regions in enumerate(scenes.regions):
        for one in regions.objects:
            here = Objects((one,), (SIDE, SIDE)).on(SIDE, SIDE).fields(CELL) == 1
            right = said[number][here] == 1 + KINDS.index(one.label)
            found, total = found + (right.mean() >= 0.5), total + 1
    overlaps = [
        ((said == n) & (wanted == n)).sum()
        / max(1, ((said == n) | (wanted == n)).sum())
        for n in range(1, len(KINDS) + 1)
    ]
    return {
        "objects found": round(100 * float(found) / total, 1),
        "mean IoU": round(100 * float(np.mean(overlaps)), 1),
        "objects' cells called background": round(
            100 * float((said[wanted > 0] == 0).mean()), 1
        ),
    }


def measured(
    subject: str, thief: str, epochs: int, train: Scenes, test: Scenes, seed: int
) -> dict[str, object]:
    """One row."""
    started = time.process_time()
    images = protected(train, subject)
    looks = []
    if thief == "none":
        pairs = zip(train.images[:LOOKED_AT], images[:LOOKED_AT], strict=True)
        looks = [ssimulacra2(*pair, 3) for pair in pairs]
    if thief == "JPEG-50":
        images = np.stack([compress(image, 50) for image in images])
    figures = asked(trained(images, train.cells(), epochs, seed), test)
    return {
        "trained on": subject,
        "thief": thief,
        "epochs": epochs,
        "seed": seed,
        **figures,
        "SSIMULACRA2": round(float(np.mean(looks)), 1) if looks else "",
        "CPU seconds": round(time.process_time() - started),
    }


def write(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """The table as far as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    words = (__doc__ or "").split("\n\n", 2)[2].strip()
    settings = (
        f"{SCENES} scenes to train on and {TESTS} to test on, epsilon "
        f"{AMPLITUDE + MARK} (watermark {MARK}), pixel carrier. *Whole images*: each "
        "perturbed by its largest object's class. *Regions*: every box by its own "
        "class, what is beside them untouched but for the watermark; what `reue "
        "protect --coco` makes. *Regions and the rest*: the background has bands of "
        "its own, too."
    )
    text = f"# A detector trained on protected scenes\n\n{words}\n\n{settings}\n"
    (folder / "detection.md").write_text(f"{text}\n{table(list(rows))}\n")
    (folder / "detection.json").write_text(json.dumps(rows, indent=1) + "\n")


def main() -> None:
    """Measure what isn't there yet, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--imagenette", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    known = given.output / "detection.json"
    rows = json.loads(known.read_text()) if known.is_file() else []
    train = scenes_of(read_photographs(given.imagenette, "train"), SCENES, 1)
    test = scenes_of(read_photographs(given.imagenette, "val"), TESTS, 2)
    for seed in range(given.seeds):
        for row in ROWS:
            names = ("trained on", "thief", "epochs", "seed")
            if (*row, seed) in [tuple(one[name] for name in names) for one in rows]:
                continue
            rows.append(measured(*row, train, test, seed))
            write(given.output, rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
