"""Imagenette at any size, and what is made of it: methods, candidates, controls.

Subjects that take a fit are made in processes of their own, side by side, and kept as
files, so that an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from fiftyone_reue.perturb.base import FitOptions

KEY = hashlib.sha256(b"benchmarks/photographs").digest()

MARK_AMPLITUDE = 2
"""The watermark's share of an epsilon from 6 on, as releases have it."""

METHODS = (
    *("rue", "rue_marked", "rue_gratings", "rue_gratings_marked", "rue_published"),
    *("rue_jpeg", "rue_gratings_jpeg"),
    *("deep_hiding", "raeg", "em_class", "em", "tap", "mi_ue", "pil", "lsp", "ar"),
    *("candidate_atoms", "candidate_pool"),
)
CONTROLS = ("originals", "originals_jpeg", "uniform_noise", "shuffled_labels")
MARKED = ("_marked", "_jpeg")
"""Behind the name of a subject that has a watermark: as pixels, or as JPEG files."""

SUBJECTS = (*CONTROLS, *METHODS)


@dataclass(frozen=True)
class Photographs:
    """Training and test images of one size.

    Attributes:
        images: ``(N, S, S, 3)`` uint8.
        labels: ``(N,)`` int64.
        test_images: ``(T, S, S, 3)`` uint8.
        test_labels: ``(T,)`` int64.
        classes: names, sorted.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]

    def mark(self) -> str:
        """A few hex digits that tell these images."""
        digest = hashlib.sha256(self.images.tobytes() + self.labels.tobytes())
        return digest.hexdigest()[:16]


def read_imagenette(
    archive: Path, side: int, each: int | None = None, each_test: int | None = None
) -> Photographs:
    """Imagenette from an archive with ``train/CLASS/*`` and ``val/CLASS/*``.

    Args:
        archive: a zip file of JPEGs.
        side: pixels; images are cut to a square and box-resized.
        each: training images a class at most.
        each_test: test images a class at most.
    """
    with zipfile.ZipFile(archive) as files:
        names = sorted(n for n in files.namelist() if n.endswith(".JPEG"))
        classes = tuple(sorted({name.split("/")[-2] for name in names}))
        parts = {}
        for part, most in (("train", each), ("val", each_test)):
            images, labels = [], []
            for place, kind in enumerate(classes):
                mine = [n for n in names if f"/{part}/{kind}/" in f"/{n}"][:most]
                images += [square(files.read(name), side) for name in mine]
                labels += [place] * len(mine)
            parts[part] = np.stack(images), np.array(labels, np.int64)
    return Photographs(*parts["train"], *parts["val"], classes)


def square(data: bytes, side: int) -> np.ndarray:
    """The middle square of a picture, box-resized, ``(side, side, 3)`` uint8."""
    with Image.open(io.BytesIO(data)) as image:
        image = image.convert("RGB")
        short = min(image.size)
        left, top = ((length - short) // 2 for length in image.size)
        image = image.crop((left, top, left + short, top + short))
        return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def pairs_name(subject: str, copy: int, *, known: bool = False) -> str:
    """What a thief makes of other photographs, as a subject's name.

    Args:
        subject: what is attacked.
        copy: which of the thief's keys.
        known: whether the thief's keys draw from the release's own frequencies.
    """
    return f"{'known' if known else 'pairs'}-{copy}-{subject}"


def amplitude(name: str, epsilon: int) -> int:
    """A subject's perturbation's, gray levels."""
    return epsilon - MARK_AMPLITUDE if name.endswith(MARKED) else epsilon


def made(
    name: str,
    photographs: Photographs,
    epsilon: int,
    device: str = "auto",
    key: bytes = KEY,
) -> np.ndarray:
    """One subject's training images.

    Args:
        name: one of :data:`SUBJECTS`, or as :func:`pairs_name` has it: then with a key
            and classes of a thief's.
        photographs: what it is made of.
        epsilon: the largest change in gray levels, a watermark's included.
        device: for methods that are fitted.
        key: 32 bytes.
    """
    images, labels = photographs.images, photographs.labels
    if name.startswith(("pairs-", "known-")):
        way, copy, subject = name.split("-", 2)
        draw = np.random.default_rng(int(copy))
        labels = draw.integers(0, len(photographs.classes), len(images))
        own = Photographs(images, labels, images, labels, photographs.classes)
        if way == "pairs":
            key = hashlib.sha256(f"a thief's key {copy}".encode()).digest()
        return made(subject, own, epsilon, device, key)
    if name in ("originals", "shuffled_labels"):
        return images
    if name == "uniform_noise":
        return _noisy(images, epsilon)
    if name.startswith("candidate_"):
        from photograph_atoms import perturbed

        each = 1 if name == "candidate_atoms" else 3
        return perturbed(images, labels, each, epsilon, key)
    if name == "originals_jpeg":
        from photograph_jpeg import original, originals

        return originals([original(image) for image in images])
    from fiftyone_reue.perturb.base import FitData
    from fiftyone_reue.perturb.registry import create_method
    from fiftyone_reue.progress import finish

    method = create_method(name.removesuffix("_marked").removesuffix("_jpeg"))
    options = FitOptions(amplitude(name, epsilon), 0, key, device)
    if name.endswith("_jpeg"):
        from photograph_jpeg import original, released

        files = [original(image) for image in images]
        classes = photographs.classes
        return released(files, labels, classes, method, options, MARK_AMPLITUDE)
    if name.endswith("_marked"):
        images = licensed(images, MARK_AMPLITUDE, key)
    data = FitData(images, labels, photographs.classes)
    return finish(method.perturb_steps(data, options))


def licensed(images: np.ndarray, amplitude: int, key: bytes = KEY) -> np.ndarray:
    """Images with a recipient's watermark, each with a mark of its own."""
    from fiftyone_reue.perturb.base import clipped
    from fiftyone_reue.prf import derive
    from fiftyone_reue.watermark import codes, embed, patterns

    key, seed = derive(key, "mark"), derive(key, "code")
    side = images.shape[1]
    bits = patterns.bit_count(side, side)
    changed = np.empty_like(images)
    for place, image in enumerate(images):
        code = codes.code(seed, str(place), bits)
        offset = embed.mark(key, str(place), code, side, side, amplitude)
        changed[place] = clipped(image, offset)
    return changed


def _noisy(images: np.ndarray, epsilon: int) -> np.ndarray:
    from fiftyone_reue.perturb.base import clipped

    draw = np.random.default_rng(0)
    noise = draw.integers(-epsilon, epsilon + 1, images.shape, np.int16)
    return clipped(images, noise)


def kept_file(folder: Path, name: str, mark: str, epsilon: int) -> Path:
    """Where a subject is kept."""
    return folder / f"photographs_{name}_{epsilon}_{mark}.npy"


def make_all(
    names: Sequence[str],
    photographs: Photographs,
    epsilon: int,
    folder: Path,
    device: str,
    workers: int,
) -> dict[str, str]:
    """Make the subjects that aren't kept yet.

    Args:
        names: of :data:`SUBJECTS`.
        photographs: what they are made of.
        epsilon: gray levels.
        folder: where they are kept; remove them after changing a method.
        device: for methods that are fitted.
        workers: processes at a time; 1 for none beside this one.

    Returns:
        For each subject that couldn't be made, why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = photographs.mark()
    left = [n for n in names if not kept_file(folder, n, mark, epsilon).exists()]
    given = folder / f"photographs_given_{mark}.npz"
    if workers > 1 and left:
        np.savez(given, **vars(photographs))
    jobs = [(name, given, mark, epsilon, folder, device) for name in left]
    if workers == 1:
        outcomes = [
            _keep(name, photographs, mark, epsilon, folder, device) for name in left
        ]
    else:
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            outcomes = list(pool.map(_keep_given, jobs))
    return {n: why for n, why in zip(left, outcomes, strict=True) if why}


def made_in(
    folder: Path, names: Sequence[str], mark: str, epsilon: int
) -> dict[str, float]:
    """Seconds that making each subject took, its fit included."""
    paths = {n: kept_file(folder, n, mark, epsilon) for n in names}
    return {
        name: json.loads(path.with_suffix(".json").read_text())["seconds"]
        for name, path in paths.items()
    }


def _keep_given(job: tuple) -> str:
    name, given, *rest = job
    with np.load(given) as stored:
        parts = dict(stored)
    classes = tuple(str(one) for one in parts.pop("classes"))
    return _keep(name, Photographs(**parts, classes=classes), *rest)


def _keep(
    name: str,
    photographs: Photographs,
    mark: str,
    epsilon: int,
    folder: Path,
    device: str,
) -> str:
    """Make and keep one; returns why not, since one failure must not stop the rest."""
    started = time.monotonic()
    try:
        images = made(name, photographs, epsilon, device)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[:1]}"
    path = kept_file(folder, name, mark, epsilon)
    np.save(path.with_suffix(".part.npy"), images)
    about = {"seconds": round(time.monotonic() - started, 1)}
    path.with_suffix(".json").write_text(json.dumps(about))
    path.with_suffix(".part.npy").rename(path)
    return ""
